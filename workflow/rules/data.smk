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
        "../../environment.yml"
    shell:
        "adkd data {input.spec} > {log} 2>&1"
