# In:  the spec of a signal, the data and the teacher
# Out: results/signals/TASK/seed-SEED/SIGNAL/: one output of the teacher over the training set
rule signals:
    input:
        upstream("signals/{task}/seed-{seed}/{signal}"),
        spec=at("plan/signals/{task}/seed-{seed}/{signal}.json"),
    output:
        at("signals/{task}/seed-{seed}/{signal}/signals.json"),
    log:
        at("logs/signals/{task}/seed-{seed}/{signal}.log"),
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=240,
    params:
        planned=digest("signals/{task}/seed-{seed}/{signal}"),
    shell:
        "adkd signals {input.spec:q} --planned {params.planned} > {log:q} 2>&1"
