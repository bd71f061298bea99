# In:  the grid of an ablation and the scores of every run in it
# Out: results/ablations/NAME/: scores, tables and figures as for the main grid; on request, fidelity and cost as well
localrules:
    ablation,
    ablations,
    ablation_fidelity,
    ablation_cost,


rule ablation:
    input:
        planned(lambda wildcards: PLAN.metrics(f"ablations/{wildcards.ablation}")),
        at("plan/scores.json"),
        at("plan/tables.json"),
        at("plan/curve.json"),
        grid=at("plan/ablations/{ablation}.json"),
    output:
        at("ablations/{ablation}/scores.csv"),
        at("ablations/{ablation}/tables/main.csv"),
        report(
            at("ablations/{ablation}/tables/main.md"),
            caption="../report/ablation.rst",
            category="Ablations",
        ),
        at("ablations/{ablation}/tables/main.txt"),
        at("ablations/{ablation}/tables/significance.csv"),
        at("ablations/{ablation}/figures/curve.pdf"),
        at("ablations/{ablation}/figures/curve.svg"),
        report(
            at("ablations/{ablation}/figures/curve.png"),
            caption="../report/ablation.rst",
            category="Ablations",
        ),
    log:
        at("logs/ablations/{ablation}.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("ablations/{ablation}"),
    shell:
        "(adkd scores {input.grid:q} --planned {params.planned} && adkd tables {input.grid:q} --planned {params.planned} && adkd curve {input.grid:q} --planned {params.planned}) > {log:q} 2>&1"


rule ablations:
    input:
        expand(at("{grid}/figures/curve.svg"), grid=[name for name in PLAN.grids if name.startswith("ablations/")]),


rule ablation_fidelity:
    input:
        planned(lambda wildcards: PLAN.explanations(f"ablations/{wildcards.ablation}")),
        at("plan/fidelity.json"),
        at("ablations/{ablation}/scores.csv"),
        grid=at("plan/ablations/{ablation}.json"),
    output:
        at("ablations/{ablation}/fidelity.csv"),
        at("ablations/{ablation}/tables/fidelity.csv"),
        at("ablations/{ablation}/tables/fidelity.md"),
        at("ablations/{ablation}/figures/fidelity.pdf"),
        at("ablations/{ablation}/figures/fidelity.svg"),
        at("ablations/{ablation}/figures/fidelity.png"),
    log:
        at("logs/ablations/{ablation}-fidelity.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("ablations/{ablation}"),
    shell:
        "adkd fidelity {input.grid:q} --planned {params.planned} > {log:q} 2>&1"


rule ablation_cost:
    input:
        planned(lambda wildcards: PLAN.latencies(f"ablations/{wildcards.ablation}")),
        at("plan/cost.json"),
        at("ablations/{ablation}/scores.csv"),
        grid=at("plan/ablations/{ablation}.json"),
    output:
        at("ablations/{ablation}/tables/cost.csv"),
        at("ablations/{ablation}/tables/cost.md"),
        at("ablations/{ablation}/figures/cost.pdf"),
        at("ablations/{ablation}/figures/cost.svg"),
        at("ablations/{ablation}/figures/cost.png"),
    log:
        at("logs/ablations/{ablation}-cost.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("ablations/{ablation}"),
    shell:
        "adkd cost {input.grid:q} --planned {params.planned} > {log:q} 2>&1"
