# In:  the spec of a latency; the data and the model that is timed
# Out: results/latency/MODEL/: how long it takes to answer; the table of what every method costs
localrules:
    cost,


rule latency:
    input:
        upstream("latency/{model}"),
        spec="results/plan/latency/{model}.json",
    output:
        "results/latency/{model}/latency.json",
    log:
        "results/logs/latency/{model}.log",
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
        planned(lambda wildcards: PLAN.asked("latency")),
        "results/plan/cost.json",
        rules.scores.output,
        grid="results/plan/grid.json",
    output:
        "results/tables/cost.csv",
        report("results/tables/cost.md", caption="../report/cost.rst", category="Cost"),
        "results/tables/cost.tex",
        "results/tables/cost.txt",
        "results/figures/cost.pdf",
        report("results/figures/cost.png", caption="../report/cost.rst", category="Cost"),
    log:
        "results/logs/cost.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd cost {input.grid} > {log} 2>&1"
