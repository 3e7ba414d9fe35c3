"""MambaForCausalLM: T in, T x 50280 out, 53,702,400 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


def recurrence(x, dt, B, C, h, A):
    outputs = []
    for x_t, dt_t, B_t, C_t in zip(x.unbind(1), dt.unbind(1), B.unbind(1), C.unbind(1)):
        decay = torch.exp(dt_t.unsqueeze(-1) * A)
        step = (dt_t * x_t).unsqueeze(-1)
        added = step * B_t.unsqueeze(1)
        kept = decay * h
        h = kept + added
        x = (h @ C_t.unsqueeze(-1)).squeeze(-1)
        outputs.append(x)
    return torch.stack(outputs, 1)


def selective_scan(x, dt, A, B, C):
    start = torch.zeros(x.shape[0], A.shape[0], A.shape[1], dtype=x.dtype, device=A.device)
    return recurrence(x, dt, B, C, start, A)  # T x L


class Mixer(nn.Module):
    def __init__(self, d, state, kernel, rank):
        super().__init__()
        self.stop = 1 - kernel
        self.rank = rank
        self.state = state
        self.A_log = nn.Parameter(torch.log(torch.arange(float(state)) + 1).expand(2 * d, state).clone())
        self.D = nn.Parameter(torch.ones(2 * d))
        self.conv1d = nn.Conv1d(2 * d, 2 * d, kernel, padding=kernel - 1, groups=2 * d)
        self.in_proj = nn.Linear(d, 4 * d, bias=False)
        self.x_proj = nn.Linear(2 * d, rank + 2 * state, bias=False)
        self.dt_proj = nn.Linear(rank, 2 * d)
        self.out_proj = nn.Linear(2 * d, d, bias=False)

    def forward(self, x):  # T x d
        in_proj0, in_proj1 = self.in_proj(x).chunk(2, dim=-1)  # T x 2*d
        x = F.silu(self.conv1d(in_proj0.transpose(1, 2))[:, :, : self.stop])  # 2*d x T
        conv1d = x.transpose(1, 2)  # T x 2*d
        x_proj0, x_proj1, x_proj2 = self.x_proj(conv1d).split((self.rank, self.state, self.state), dim=-1)  # T x rank
        dt_proj = F.softplus(self.dt_proj(x_proj0))  # T x 2*d
        A = -torch.exp(self.A_log)  # 2*d x state
        scanned = selective_scan(conv1d, dt_proj, A, x_proj1, x_proj2)  # T x 2*d
        skip = scanned + conv1d * self.D  # T x 2*d
        gate = F.silu(in_proj1)  # T x 2*d
        return self.out_proj(skip * gate)  # T x d


class Block(nn.Module):
    def __init__(self, d, state, kernel, rank):
        super().__init__()
        self.norm = nn.RMSNorm(d, eps=1e-5)
        self.mixer = Mixer(d, state, kernel, rank)

    def forward(self, x):  # T x d
        out = self.norm(x)  # T x d
        return x + self.mixer(out)  # T x d


class MambaForCausalLM(nn.Module):
    def __init__(self, vocab=50280, d=768, depth=4, state=16, kernel=4, rank=48):
        super().__init__()
        self.backbone = nn.Sequential(
            OrderedDict(
                embeddings=nn.Embedding(vocab, d),
                layers=nn.Sequential(*[Block(d, state, kernel, rank) for _ in range(depth)]),
                norm_f=nn.RMSNorm(d, eps=1e-5),
            )
        )
        self.lm_head = nn.Linear(d, vocab, bias=False)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and name.endswith(".dt_proj"):
                nn.init.uniform_(module.weight, a=-(rank**-0.5), b=rank**-0.5)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.1)
        self.lm_head.weight = self.backbone.embeddings.weight

    def forward(self, x):  # T
        x = self.backbone(x)  # T x d
        return self.lm_head(x)  # T x vocab
