# In:  the spec of a student, the data, and the signals or the model of the teacher that the method needs
# Out: results/students/METHOD/TASK/seed-SEED/: scores, predictions, history, model
rule student:
    input:
        upstream("students/{method}/{task}/seed-{seed}"),
        spec=at("plan/students/{method}/{task}/seed-{seed}.json"),
    output:
        at("students/{method}/{task}/seed-{seed}/metrics.json"),
    log:
        at("logs/students/{method}/{task}/seed-{seed}.log"),
    conda:
        ENVIRONMENT
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=720,
    params:
        planned=digest("students/{method}/{task}/seed-{seed}"),
    shell:
        "adkd student {input.spec:q} --planned {params.planned} > {log:q} 2>&1"
