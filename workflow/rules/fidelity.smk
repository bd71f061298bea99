# In:  the spec of an explanation; the data and the model that is asked
# Out: results/explanations/MODEL/: its token attributions on dev examples; what they say of students and teachers
localrules:
    fidelity,


rule explanation:
    input:
        upstream("explanations/{model}"),
        spec="results/plan/explanations/{model}.json",
    output:
        "results/explanations/{model}/explanation.json",
    log:
        "results/logs/explanations/{model}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=240,
    shell:
        "adkd explain {input.spec} > {log} 2>&1"


rule fidelity:
    input:
        planned(lambda wildcards: PLAN.asked("explanation")),
        "results/plan/fidelity.json",
        rules.scores.output,
        grid="results/plan/grid.json",
    output:
        "results/fidelity.csv",
        "results/tables/fidelity.csv",
        "results/tables/fidelity_tests.csv",
        report("results/tables/fidelity.md", caption="../report/fidelity.rst", category="Fidelity"),
        "results/tables/fidelity.tex",
        "results/tables/fidelity.txt",
        "results/figures/fidelity.pdf",
        report("results/figures/fidelity.png", caption="../report/fidelity.rst", category="Fidelity"),
    log:
        "results/logs/fidelity.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd fidelity {input.grid} > {log} 2>&1"
