"""Both forces of every token by autograd, and a tiny bigram model whose head stands by itself."""

import torch
from tiny import moved_model
from torch.nn import functional

from zerosum.dissent import NUMBERS as READ
from zerosum.gradients.parameters import trainable


class Apart(torch.nn.Module):
    """Bigrams: an embedding, a linear head, and what may come after it."""

    def __init__(self, after=None, width=6, vocabulary=7, bias=True):
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Embedding(vocabulary, width)
        self.head = torch.nn.Linear(width, vocabulary, bias=bias)
        self.base_model, self.after = self.body, after or (lambda logits: logits)
        self.double()

    def get_output_embeddings(self):
        return self.head

    def get_input_embeddings(self):
        return self.body

    def forward(self, ids):
        return self.after(self.head(self.body(ids)))


def capped(logits):
    return 3 * torch.tanh(logits / 3)


def exact(family, **more):
    """A tiny model whose norms are in float64, too; those of transformers are in float32, and each pass rounds anew."""
    model = moved_model(family, **more)
    for norm in (one for one in model.modules() if type(one).__name__.endswith("RMSNorm")):
        norm.forward = lambda x, norm=norm: norm.weight * x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return model


def written_out(model, tokens, scale=1.0):
    """Both forces of every token by autograd: at its hidden state [N, d], the head [N, V, d], the body (list of dicts).

    With chances held fixed, attraction is minus the gradient of -(1 - q_y) times the label's logit above the mean one,
    repulsion of the others' chances times theirs; at the head it is the same without the mean.
    """
    body, head = model.base_model, model.get_output_embeddings()
    inside = {id(one) for one in body.parameters()}
    parameters = [one for one in trainable(model) if id(one.tensor) in inside]
    found = []
    for row in tokens:
        for k in range(len(row) - 1):
            output = body(row[None, : k + 1])
            hidden = getattr(output, "last_hidden_state", output)[0, k]
            at = hidden.detach().requires_grad_()
            weight = head.weight.detach().clone().requires_grad_()
            logits = scale * functional.linear(at, weight, None if head.bias is None else head.bias.detach())
            q, label = logits.softmax(0).detach(), row[k + 1]
            others = torch.arange(len(q)) != label
            forces = []
            for centred in (True, False):
                z = logits - logits.mean() if centred else logits
                forces.append(((1 - q[label]) * z[label], -(q * z)[others].sum()))
            at_hidden = [torch.autograd.grad(one, at, retain_graph=True)[0] for one in forces[0]]
            at_head = [torch.autograd.grad(one, weight, retain_graph=True)[0] for one in forces[1]]
            in_body = [
                torch.autograd.grad(hidden, [one.tensor for one in parameters], force, retain_graph=True)
                for force in at_hidden
            ]
            found.append((at_hidden, at_head, in_body))
    return found, [one.name for one in parameters]


def cos(a, r):
    return -float(functional.cosine_similarity(a.flatten(), r.flatten(), dim=0))


def numbers_of(a, r):
    a, r = a.flatten(), r.flatten()
    return {
        "dissent": cos(a, r),
        "magnitude_ratio": float(r.norm() / a.norm()),
        "cancellation": 1 - float((a + r).norm() / (a.norm() + r.norm())),
    }


def read(one):
    return {name: getattr(one, name) for name in READ}
