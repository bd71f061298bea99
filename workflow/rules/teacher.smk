# In:  the spec of a teacher; the data of its task
# Out: results/teachers/TASK/seed-SEED/: model, dev score, predictions
rule teacher:
    input:
        upstream("teachers/{task}/seed-{seed}"),
        spec=at("plan/teachers/{task}/seed-{seed}.json"),
    output:
        at("teachers/{task}/seed-{seed}/metrics.json"),
    log:
        at("logs/teachers/{task}/seed-{seed}.log"),
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=720,
    params:
        planned=digest("teachers/{task}/seed-{seed}"),
    shell:
        "adkd teacher {input.spec:q} --planned {params.planned} > {log:q} 2>&1"
