# In:  the spec of a latency; the data and the model that is timed
# Out: results/latency/MODEL/: how long it takes to answer; the table of what every method costs
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
        "../../environment.yml"
    # All cores, so that no other job of this workflow runs beside it.
    threads: workflow.cores
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=60,
    shell:
        "adkd latency {input.spec} > {log} 2>&1"


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
        report(at("figures/cost.png"), caption="../report/cost.rst", category="Cost"),
    log:
        at("logs/cost.log"),
    conda:
        "../../environment.yml"
    shell:
        "adkd cost {input.grid} > {log} 2>&1"
