# In:  the specs of a study and of its rounds; the data and the outputs of the teacher, shared by all trials
# Out: results/sweeps/METHOD/TASK/: trials, the best settings and their importance; a table of costs and gains of tuning
localrules:
    round,
    study,
    sweep,
    untuned,
    tuning,


# The specs of a round's trials follow from the results of previous rounds.
rule round:
    input:
        upstream("sweeps/{method}/{task}/round-{round}"),
        spec=at("plan/sweeps/{method}/{task}/round-{round}.json"),
    output:
        expand(
            at("plan/sweeps/{{method}}/{{task}}/round-{{round}}/trial-{trial}/seed-{seed}.json"),
            trial=range(CONFIG.sweeps.batch),
            seed=CONFIG.sweeps.seeds,
        ),
    log:
        at("logs/sweeps/{method}/{task}/round-{round}.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("sweeps/{method}/{task}/round-{round}"),
    shell:
        "adkd round {input.spec:q} --planned {params.planned} > {log:q} 2>&1"


rule trial:
    input:
        planned(lambda wildcards: PLAN.shared("sweeps/{method}/{task}".format(**wildcards))),
        spec=at("plan/sweeps/{method}/{task}/round-{round}/trial-{trial}/seed-{seed}.json"),
    output:
        # Keeps a result of the same spec, so that a round that proposes the same points again costs nothing.
        update(at("sweeps/{method}/{task}/round-{round}/trial-{trial}/seed-{seed}/trial.json")),
    log:
        at("logs/sweeps/{method}/{task}/round-{round}/trial-{trial}/seed-{seed}.log"),
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=720,
    shell:
        "adkd trial {input.spec:q} > {log:q} 2>&1"


# Replaces rounds and trials if sweeps.mode is "workers". The storage is not an output, because it outlives a worker.
rule worker:
    input:
        upstream("sweeps/{method}/{task}/worker-{worker}"),
        spec=at("plan/sweeps/{method}/{task}/worker-{worker}.json"),
    output:
        at("sweeps/{method}/{task}/worker-{worker}/worker.json"),
    log:
        at("logs/sweeps/{method}/{task}/worker-{worker}.log"),
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=1440,
    params:
        planned=digest("sweeps/{method}/{task}/worker-{worker}"),
    shell:
        "adkd worker {input.spec:q} --planned {params.planned} > {log:q} 2>&1"


rule study:
    input:
        upstream("sweeps/{method}/{task}"),
        spec=at("plan/sweeps/{method}/{task}.json"),
    output:
        at("sweeps/{method}/{task}/best.yaml"),
        at("sweeps/{method}/{task}/trials.csv"),
        at("sweeps/{method}/{task}/importance.csv"),
        at("sweeps/{method}/{task}/sweep.json"),
        expand(
            at("sweeps/{{method}}/{{task}}/figures/{name}.{kind}"),
            name=["history", "importance", "slices", "expected"],
            kind=["pdf", "png", "svg"],
        ),
    log:
        at("logs/sweeps/{method}/{task}/study.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("sweeps/{method}/{task}"),
    shell:
        "adkd study {input.spec:q} --planned {params.planned} > {log:q} 2>&1"


rule sweep:
    input:
        expand(at("{study}/best.yaml"), study=PLAN.sweeps),


# The grid without tuned settings, of a config with `settings_from: sweeps`.
rule untuned:
    input:
        planned(lambda wildcards: PLAN.metrics("untuned")),
        at("plan/scores.json"),
        at("plan/tables.json"),
        grid=at("plan/untuned.json"),
    output:
        at("untuned/scores.csv"),
        at("untuned/tables/main.csv"),
        at("untuned/tables/main.md"),
        at("untuned/tables/main.txt"),
        at("untuned/tables/significance.csv"),
    log:
        at("logs/untuned.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("untuned"),
    shell:
        "(adkd scores {input.grid:q} --planned {params.planned} && adkd tables {input.grid:q} --planned {params.planned}) > {log:q} 2>&1"


rule tuning:
    input:
        at("plan/tuning.json"),
        expand(at("{study}/sweep.json"), study=PLAN.sweeps),
        rules.untuned.output,
        rules.scores.output,
        rules.tables.output,
        grid=at("plan/grid.json"),
    output:
        at("tables/tuning.csv"),
        report(at("tables/tuning.md"), caption="../report/tuning.rst", category="Tuning"),
        at("tables/tuning.tex"),
        at("tables/tuning.txt"),
        at("figures/tuning.pdf"),
        at("figures/tuning.svg"),
        report(at("figures/tuning.png"), caption="../report/tuning.rst", category="Tuning"),
    log:
        at("logs/tuning.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("grid"),
    shell:
        "adkd tuning {input.grid:q} --planned {params.planned} > {log:q} 2>&1"
