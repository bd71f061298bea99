# In:  the spec of an explanation, the data and the model
# Out: results/explanations/MODEL/: token attributions on dev examples; how closely students reproduce their teachers'
localrules:
    fidelity,


rule explain:
    input:
        upstream("explanations/{model}"),
        spec=at("plan/explanations/{model}.json"),
    output:
        at("explanations/{model}/explanation.json"),
    log:
        at("logs/explanations/{model}.log"),
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=240,
    params:
        planned=digest("explanations/{model}"),
    shell:
        "adkd explain {input.spec:q} --planned {params.planned} > {log:q} 2>&1"


rule fidelity:
    input:
        planned(lambda wildcards: PLAN.explanations()),
        at("plan/fidelity.json"),
        rules.scores.output,
        grid=at("plan/grid.json"),
    output:
        at("fidelity.csv"),
        at("tables/fidelity.csv"),
        at("tables/fidelity_tests.csv"),
        report(at("tables/fidelity.md"), caption="../report/fidelity.rst", category="Fidelity"),
        at("tables/fidelity.tex"),
        at("tables/fidelity.txt"),
        at("figures/fidelity.pdf"),
        at("figures/fidelity.svg"),
        report(at("figures/fidelity.png"), caption="../report/fidelity.rst", category="Fidelity"),
    log:
        at("logs/fidelity.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("grid"),
    shell:
        "adkd fidelity {input.grid:q} --planned {params.planned} > {log:q} 2>&1"
