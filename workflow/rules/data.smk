# In:  the spec of a task's data
# Out: results/data/TASK/: the checked and tokenised splits, and their fingerprint
localrules:
    data,


rule data:
    input:
        spec=at("plan/data/{task}.json"),
    output:
        at("data/{task}/data.json"),
    log:
        at("logs/data/{task}.log"),
    conda:
        ENVIRONMENT
    params:
        planned=digest("data/{task}"),
    shell:
        "adkd data {input.spec:q} --planned {params.planned} > {log:q} 2>&1"
