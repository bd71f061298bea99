# In:  the plan's list of runs and the scores of every run in it
# Out: results/scores.csv; the tables and figures made from it
localrules:
    scores,
    tables,
    figures,


rule scores:
    input:
        planned(lambda wildcards: PLAN.metrics()),
        "results/plan/scores.json",
        grid="results/plan/grid.json",
    output:
        "results/scores.csv",
    log:
        "results/logs/scores.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd scores {input.grid} > {log} 2>&1"


rule tables:
    input:
        "results/plan/tables.json",
        f"{workflow.basedir}/adkd/analysis/tables/published_results.csv",
        rules.scores.output,
        grid="results/plan/grid.json",
    output:
        "results/tables/main.csv",
        report("results/tables/main.md", caption="../report/main.rst", category="Scores"),
        "results/tables/main.tex",
        "results/tables/main.txt",
        "results/tables/average.csv",
        "results/tables/significance.csv",
        report(
            "results/tables/significance.md",
            caption="../report/significance.rst",
            category="Significance",
        ),
        "results/tables/published.csv",
        report("results/tables/published.md", caption="../report/published.rst", category="Published"),
        "results/tables/published.tex",
        "results/tables/published.txt",
    log:
        "results/logs/tables.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd tables {input.grid} > {log} 2>&1"


rule figures:
    input:
        "results/plan/figures.json",
        rules.scores.output,
        rules.tables.output,
        grid="results/plan/grid.json",
    output:
        "results/figures/scores.pdf",
        "results/figures/differences.pdf",
        report("results/figures/scores.png", caption="../report/scores.rst", category="Scores"),
        report(
            "results/figures/differences.png",
            caption="../report/differences.rst",
            category="Significance",
        ),
    log:
        "results/logs/figures.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd figures {input.grid} > {log} 2>&1"
