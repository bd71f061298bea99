# In:  all tables of the main grid, and the explanations and ablations that exist
# Out: results/report.html: all results on one page
localrules:
    report,


rule report:
    input:
        at("plan/report.json"),
        rules.scores.output,
        rules.tables.output,
        rules.figures.output,
        rules.fidelity.output,
        rules.cost.output,
        rules.tuning.output if CONFIG.settings_from == "sweeps" else [],
        # The ablations that exist; `snakemake ablations` makes all of them.
        [path for path in rules.ablations.input if os.path.exists(path)],
        grid=at("plan/grid.json"),
    output:
        at("report.html"),
    log:
        at("logs/report.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("grid"),
    shell:
        "adkd report {input.grid:q} --planned {params.planned} > {log:q} 2>&1"
