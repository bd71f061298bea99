# In:  the main grid and the report of every run in it
# Out: results/scores.csv, and the tables and figures that are made from it
localrules:
    scores,
    tables,
    figures,


rule scores:
    input:
        planned(lambda wildcards: PLAN.metrics()),
        at("plan/scores.json"),
        grid=at("plan/grid.json"),
    output:
        at("scores.csv"),
    log:
        at("logs/scores.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("grid"),
    shell:
        "adkd scores {input.grid:q} --planned {params.planned} > {log:q} 2>&1"


rule tables:
    input:
        at("plan/tables.json"),
        rules.scores.output,
        grid=at("plan/grid.json"),
    output:
        at("tables/main.csv"),
        report(at("tables/main.md"), caption="../report/main.rst", category="Scores"),
        at("tables/main.tex"),
        at("tables/main.txt"),
        at("tables/average.csv"),
        at("tables/significance.csv"),
        report(
            at("tables/significance.md"),
            caption="../report/significance.rst",
            category="Significance",
        ),
        at("tables/published.csv"),
        report(at("tables/published.md"), caption="../report/published.rst", category="Published"),
        at("tables/published.tex"),
        at("tables/published.txt"),
    log:
        at("logs/tables.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("grid"),
    shell:
        "adkd tables {input.grid:q} --planned {params.planned} > {log:q} 2>&1"


rule figures:
    input:
        at("plan/figures.json"),
        rules.scores.output,
        rules.tables.output,
        grid=at("plan/grid.json"),
    output:
        at("figures/scores.pdf"),
        at("figures/scores.svg"),
        at("figures/differences.pdf"),
        at("figures/differences.svg"),
        report(at("figures/scores.png"), caption="../report/scores.rst", category="Scores"),
        report(
            at("figures/differences.png"),
            caption="../report/differences.rst",
            category="Significance",
        ),
    log:
        at("logs/figures.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("grid"),
    shell:
        "adkd figures {input.grid:q} --planned {params.planned} > {log:q} 2>&1"
