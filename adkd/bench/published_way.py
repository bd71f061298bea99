"""AD-KD the plain, published way: a live teacher in every step, every example padded to 128 tokens, a gradient per view
taken from the loss itself, PyTorch's plain AdamW.

Written from the paper and its released code, and from nothing of the suite's own: it is what `make bench` measures the
suite against, and the oracle that tests hold the fast version equal to.
"""

import torch
from torch.nn.functional import cross_entropy, mse_loss, normalize, pad


def padded(batch, length):
    """The same batch, every example padded to ``length`` tokens."""
    more = length - batch.mask.shape[1]
    fields = {name: pad(getattr(batch, name), (0, more)) for name in ("input_ids", "token_type_ids", "mask")}
    return type(batch)(**fields, labels=batch.labels, rows=batch.rows)


class Descent:
    """The released optimisation: AdamW, linear decay to 0 without warm-up, gradients clipped at norm 1."""

    def __init__(self, student, learning_rate, steps):
        self.parameters = list(student.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=learning_rate, eps=1e-8, weight_decay=0.0)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: max(0.0, 1 - step / steps))

    def step(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.schedule.step()


def train(student, teacher, batches, epochs, learning_rate, **settings):
    """Train ``student`` in place, going through ``batches``, a function from epoch to padded batches."""
    steps = epochs * len(batches(0))
    descent = Descent(student, learning_rate, steps)
    for epoch in range(epochs):
        student.train()
        for batch in batches(epoch):
            descent.step(adkd_loss(student, teacher, batch, **settings))


@torch.no_grad()
def predict(student, batches):
    """Logits [rows, C], in the order of the batches."""
    student.eval()
    return torch.cat([first_embeddings_and_logits(student, batch)[1] for batch in batches])


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
        found.append(normalize(saliency.norm(dim=-1), dim=-1))
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
