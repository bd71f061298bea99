# In:  the spec of a latency measurement, the data and the model
# Out: results/latency/MODEL/: the duration of a forward pass; the table of the costs of every method
localrules:
    cost,


rule latency:
    input:
        upstream("latency/{model}"),
        spec=at("plan/latency/{model}.json"),
    output:
        at("latency/{model}/latency.json"),
    log:
        at("logs/latency/{model}.log"),
    conda:
        ENVIRONMENT
    # Takes all cores, so that no other job of this workflow runs at the same time.
    threads: workflow.cores
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=60,
    params:
        planned=digest("latency/{model}"),
    shell:
        "adkd latency {input.spec:q} --planned {params.planned} > {log:q} 2>&1"


rule cost:
    input:
        planned(lambda wildcards: PLAN.latencies()),
        at("plan/cost.json"),
        rules.scores.output,
        grid=at("plan/grid.json"),
    output:
        at("tables/cost.csv"),
        report(at("tables/cost.md"), caption="../report/cost.rst", category="Cost"),
        at("tables/cost.tex"),
        at("tables/cost.txt"),
        at("figures/cost.pdf"),
        at("figures/cost.svg"),
        report(at("figures/cost.png"), caption="../report/cost.rst", category="Cost"),
    log:
        at("logs/cost.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("grid"),
    shell:
        "adkd cost {input.grid:q} --planned {params.planned} > {log:q} 2>&1"
