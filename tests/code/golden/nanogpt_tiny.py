"""GPT: T in, 1 x 211 out, 94,944 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class Attn(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.heads = heads
        self.p = p
        self.c_attn = nn.Linear(d, 3 * d, bias=False)
        self.c_proj = nn.Linear(d, d, bias=False)

    def forward(self, x):
        x = self.c_attn(x)  # T x 3*d
        y0, y1, y2 = x.chunk(3, dim=-1)  # T x d
        x = attend(y0, y1, y2, self.heads, is_causal=True)  # T x d
        return F.dropout(self.c_proj(x), self.p, self.training)  # T x d


class Mlp(nn.Module):
    def __init__(self, d, p):
        super().__init__()
        self.p = p
        self.c_fc = nn.Linear(d, 4 * d, bias=False)
        self.c_proj = nn.Linear(4 * d, d, bias=False)

    def forward(self, x):
        x = F.gelu(self.c_fc(x))  # T x 4*d
        return F.dropout(self.c_proj(x), self.p, self.training)  # T x d


class Block(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.ln_1 = nn.LayerNorm(d, bias=False)
        self.attn = Attn(d, heads, p)
        self.ln_2 = nn.LayerNorm(d, bias=False)
        self.mlp = Mlp(d, p)

    def forward(self, x):  # T x d
        out = self.ln_1(x)  # T x d
        x = self.attn(out) + x  # T x d
        out = self.ln_2(x)  # T x d
        return self.mlp(out) + x  # T x d


class Transformer(nn.Module):
    def __init__(self, vocab, context, d, heads, depth, p):
        super().__init__()
        self.p = p
        self.wte = nn.Embedding(vocab, d)
        self.wpe = nn.Embedding(context, d)
        self.h = nn.Sequential(*[Block(d, heads, p) for _ in range(depth)])
        self.ln_f = nn.LayerNorm(d, bias=False)

    def forward(self, x):
        wte = self.wte(x)  # T x d
        positions = torch.arange(x.shape[1], device=x.device)  # T
        x = F.dropout(wte + self.wpe(positions), self.p, self.training)  # T x d
        x = self.h(x)  # T x d
        return self.ln_f(x)  # T x d


class GPT(nn.Module):
    def __init__(self, vocab=211, context=32, d=48, heads=4, depth=3, p=0):
        super().__init__()
        self.transformer = Transformer(vocab, context, d, heads, depth, p)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and name.endswith(".c_proj"):
                nn.init.normal_(module.weight, std=0.02 * (2 * depth) ** -0.5)
            elif isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, x):  # T
        x = self.transformer(x)  # T x d
        x = x[:, -1:] if not self.training else x  # 1 x d, in training T x d
        return self.lm_head(x)  # 1 x vocab
