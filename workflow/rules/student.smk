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
        "../../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPUS,
        mem_mb=8000,
        runtime=720,
    shell:
        "adkd student {input.spec} > {log} 2>&1"
