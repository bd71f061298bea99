# In:  the spec of a study, and of every round of it; the data and what the teacher says, once for all trials
# Out: results/sweeps/METHOD/TASK/: trials, the best settings, which of them mattered; a table of what tuning bought
localrules:
    round,
    best,
    sweep,
    untuned,
    tuning,


# What follows from the results of earlier rounds: the specs of a round's trials.
rule round:
    input:
        upstream("sweeps/{method}/{task}/round-{round}"),
        spec="results/plan/sweeps/{method}/{task}/round-{round}.json",
    output:
        expand(
            "results/plan/sweeps/{{method}}/{{task}}/round-{{round}}/trial-{trial}/seed-{seed}.json",
            trial=range(CONFIG.sweeps.batch),
            seed=CONFIG.sweeps.seeds,
        ),
    log:
        "results/logs/sweeps/{method}/{task}/round-{round}.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd round {input.spec} > {log} 2>&1"


rule trial:
    input:
        planned(lambda wildcards: PLAN.shared("sweeps/{method}/{task}".format(**wildcards))),
        spec="results/plan/sweeps/{method}/{task}/round-{round}/trial-{trial}/seed-{seed}.json",
    output:
        # A result of the same spec is kept: a round whose points are the same again costs nothing.
        update("results/sweeps/{method}/{task}/round-{round}/trial-{trial}/seed-{seed}/trial.json"),
    log:
        "results/logs/sweeps/{method}/{task}/round-{round}/trial-{trial}/seed-{seed}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=720,
    shell:
        "adkd trial {input.spec} > {log} 2>&1"


# Instead of rounds and trials, if sweeps.mode is "workers". Its storage is no output: it outlives a worker.
rule worker:
    input:
        upstream("sweeps/{method}/{task}/worker-{worker}"),
        spec="results/plan/sweeps/{method}/{task}/worker-{worker}.json",
    output:
        "results/sweeps/{method}/{task}/worker-{worker}/worker.json",
    log:
        "results/logs/sweeps/{method}/{task}/worker-{worker}.log",
    conda:
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=1440,
    shell:
        "adkd worker {input.spec} > {log} 2>&1"


rule best:
    input:
        upstream("sweeps/{method}/{task}"),
        spec="results/plan/sweeps/{method}/{task}.json",
    output:
        "results/sweeps/{method}/{task}/best.yaml",
        "results/sweeps/{method}/{task}/trials.csv",
        "results/sweeps/{method}/{task}/importance.csv",
        "results/sweeps/{method}/{task}/sweep.json",
        expand(
            "results/sweeps/{{method}}/{{task}}/figures/{name}.{kind}",
            name=["history", "importance", "slices", "expected"],
            kind=["pdf", "png"],
        ),
    log:
        "results/logs/sweeps/{method}/{task}/best.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd best {input.spec} > {log} 2>&1"


rule sweep:
    input:
        expand("results/{study}/best.yaml", study=PLAN.sweeps),


# The grid without what sweeps found, of a config with `settings_from: sweeps`.
rule untuned:
    input:
        planned(lambda wildcards: PLAN.metrics("untuned")),
        "results/plan/scores.json",
        "results/plan/tables.json",
        grid="results/plan/untuned.json",
    output:
        "results/untuned/scores.csv",
        "results/untuned/tables/main.csv",
        "results/untuned/tables/main.md",
        "results/untuned/tables/main.txt",
        "results/untuned/tables/significance.csv",
    log:
        "results/logs/untuned.log",
    conda:
        "../../environment.yml"
    shell:
        "(adkd scores {input.grid} && adkd tables {input.grid}) > {log} 2>&1"


rule tuning:
    input:
        "results/plan/tuning.json",
        expand("results/{study}/sweep.json", study=PLAN.sweeps),
        rules.untuned.output,
        rules.scores.output,
        rules.tables.output,
        grid="results/plan/grid.json",
    output:
        "results/tables/tuning.csv",
        report("results/tables/tuning.md", caption="../report/tuning.rst", category="Tuning"),
        "results/tables/tuning.tex",
        "results/tables/tuning.txt",
        "results/figures/tuning.pdf",
        report("results/figures/tuning.png", caption="../report/tuning.rst", category="Tuning"),
    log:
        "results/logs/tuning.log",
    conda:
        "../../environment.yml"
    shell:
        "adkd tuning {input.grid} > {log} 2>&1"
