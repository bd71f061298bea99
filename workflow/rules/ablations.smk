# In:  the grid of an ablation and the scores of every run in it
# Out: results/ablations/NAME/: its scores, tables and figure, as those of the main grid; asked for, its fidelity and cost too
localrules:
    ablation,
    ablations,
    ablation_fidelity,
    ablation_cost,


rule ablation:
    input:
        planned(lambda wildcards: PLAN.metrics(f"ablations/{wildcards.ablation}")),
        "results/plan/scores.json",
        "results/plan/tables.json",
        "results/plan/curve.json",
        grid="results/plan/ablations/{ablation}.json",
    output:
        "results/ablations/{ablation}/scores.csv",
        "results/ablations/{ablation}/tables/main.csv",
        report(
            "results/ablations/{ablation}/tables/main.md",
            caption="../report/ablation.rst",
            category="Ablations",
        ),
        "results/ablations/{ablation}/tables/main.txt",
        "results/ablations/{ablation}/tables/significance.csv",
        "results/ablations/{ablation}/figures/curve.pdf",
        report(
            "results/ablations/{ablation}/figures/curve.png",
            caption="../report/ablation.rst",
            category="Ablations",
        ),
    log:
        "results/logs/ablations/{ablation}.log",
    conda:
        "../../environment.yml"
    shell:
        "(adkd scores {input.grid} && adkd tables {input.grid} && adkd curve {input.grid}) > {log} 2>&1"


rule ablations:
    input:
        expand("results/{grid}/figures/curve.png", grid=[name for name in PLAN.grids if name.startswith("ablations/")]),


rule ablation_fidelity:
    input:
        planned(lambda wildcards: PLAN.asked("explanation", f"ablations/{wildcards.ablation}")),
        "results/plan/fidelity.json",
        "results/ablations/{ablation}/scores.csv",
        grid="results/plan/ablations/{ablation}.json",
    output:
        "results/ablations/{ablation}/fidelity.csv",
        "results/ablations/{ablation}/tables/fidelity.csv",
        "results/ablations/{ablation}/tables/fidelity.md",
        "results/ablations/{ablation}/figures/fidelity.pdf",
        "results/ablations/{ablation}/figures/fidelity.png",
    log:
        "results/logs/ablations/{ablation}-fidelity.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd fidelity {input.grid} > {log} 2>&1"


rule ablation_cost:
    input:
        planned(lambda wildcards: PLAN.asked("latency", f"ablations/{wildcards.ablation}")),
        "results/plan/cost.json",
        "results/ablations/{ablation}/scores.csv",
        grid="results/plan/ablations/{ablation}.json",
    output:
        "results/ablations/{ablation}/tables/cost.csv",
        "results/ablations/{ablation}/tables/cost.md",
        "results/ablations/{ablation}/figures/cost.pdf",
        "results/ablations/{ablation}/figures/cost.png",
    log:
        "results/logs/ablations/{ablation}-cost.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd cost {input.grid} > {log} 2>&1"
