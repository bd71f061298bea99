"""AD-KD the plain, published way: a live teacher, a gradient per class, the loss itself differentiated.

Written from the paper and from nothing of the suite's own code: the oracle that the fast version is held against.
"""

import torch
from torch.nn.functional import cross_entropy, mse_loss


def first_embeddings_and_logits(model, batch):
    out = model(
        input_ids=batch.input_ids,
        attention_mask=batch.mask,
        token_type_ids=batch.token_type_ids,
        output_hidden_states=True,
    )
    return out.hidden_states[0], out.logits


def view_losses(logits, labels):
    """One loss per view: against the true label for regression and two classes, -log p_c for every class otherwise."""
    if logits.shape[1] == 1:
        return [mse_loss(logits[:, 0], labels)]
    if logits.shape[1] == 2:
        return [cross_entropy(logits, labels)]
    return [-torch.log(torch.softmax(logits, dim=1))[:, c].mean() for c in range(logits.shape[1])]


def maps(embeddings, logits, labels, top_k, create_graph):
    """A list of normalised token maps [B, L], one per view."""
    found = []
    for loss in view_losses(logits, labels):
        (gradient,) = torch.autograd.grad(loss, embeddings, create_graph=create_graph, retain_graph=True)
        saliency = (gradient * embeddings).abs()
        if top_k is not None:
            saliency = saliency.sort(dim=-1, descending=True).values[..., :top_k]
        score = saliency.pow(2).sum(-1).add(1e-300).sqrt()
        found.append(score / score.pow(2).sum(-1, keepdim=True).sqrt())
    return found


def adkd_loss(student, teacher, batch, *, alpha, temperature, beta, top_k):
    """The loss of one batch; ``student`` may be in train mode, ``teacher`` is in eval mode."""
    teacher_embeddings, teacher_logits = first_embeddings_and_logits(teacher, batch)
    theirs = maps(teacher_embeddings, teacher_logits, batch.labels, top_k, create_graph=False)
    embeddings, logits = first_embeddings_and_logits(student, batch)
    ours = maps(embeddings, logits, batch.labels, None, create_graph=True)
    soft, hard = teacher_logits.detach() / temperature, logits / temperature
    if logits.shape[1] == 1:
        kd, task = mse_loss(hard, soft), mse_loss(logits[:, 0], batch.labels)
    else:
        kd = -(torch.softmax(soft, 1) * torch.log_softmax(hard, 1)).sum(1).mean()
        task = cross_entropy(logits, batch.labels)
    tokens = batch.mask.sum()
    attribution = sum(((t.detach() - s) ** 2).sum() / tokens for t, s in zip(theirs, ours, strict=True))
    return alpha * kd + (1 - alpha) * task + beta * attribution
