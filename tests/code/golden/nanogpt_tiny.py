"""GPT: T in, 1 x 211 out, 94,944 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class Attn(nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.c_attn = nn.Linear(in_features, 144, bias=False)
        self.c_proj = nn.Linear(48, 48, bias=False)

    def forward(self, x):
        x = self.c_attn(x)  # T x 144
        y0, y1, y2 = x.chunk(3, dim=-1)  # T x 48
        x = attend(y0, y1, y2, 4, is_causal=True)  # T x 48
        return F.dropout(self.c_proj(x), 0, self.training)  # T x 48


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_fc = nn.Linear(48, 192, bias=False)
        self.c_proj = nn.Linear(192, 48, bias=False)

    def forward(self, x):
        x = F.gelu(self.c_fc(x))  # T x 192
        return F.dropout(self.c_proj(x), 0, self.training)  # T x 48


class Block(nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.ln_1 = nn.LayerNorm(in_features, bias=False)
        self.attn = Attn(in_features)
        self.ln_2 = nn.LayerNorm(48, bias=False)
        self.mlp = Mlp()

    def forward(self, x):  # T x 48
        out = self.ln_1(x)  # T x in_features
        out = self.attn(out)  # T x 48
        x2 = out + x  # T x 48
        x = self.ln_2(x2)  # T x 48
        x = self.mlp(x)  # T x 48
        return x + x2  # T x 48


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(211, 48)
        self.wpe = nn.Embedding(32, 48)
        self.h = nn.Sequential(*[Block(48) for _ in range(3)])
        self.ln_f = nn.LayerNorm(48, bias=False)

    def forward(self, x):
        wte = self.wte(x)  # T x 48
        x = torch.arange(x.shape[1], device=x.device)  # T
        x = self.wpe(x)  # T x 48
        x = F.dropout(wte + x, 0, self.training)  # T x 48
        x = self.h(x)  # T x 48
        return self.ln_f(x)  # T x 48


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = Transformer()
        self.lm_head = nn.Linear(48, 211, bias=False)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and name.endswith(".c_proj"):
                nn.init.normal_(module.weight, std=0.008164965809277261)
            elif isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, x):  # T
        x = self.transformer(x)  # T x 48
        x = x[:, -1:] if not self.training else x  # 1 x 48, in training T x 48
        return self.lm_head(x)  # 1 x 211
