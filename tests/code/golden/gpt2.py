"""GPT2LMHeadModel: T in, T x 50257 out, 124,439,808 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class GPT2Attention(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.heads = heads
        self.p = p
        self.c_attn = nn.Linear(d, 3 * d)
        self.c_proj = nn.Linear(d, d)

    def forward(self, x):  # T x d
        c_attn0, c_attn1, c_attn2 = self.c_attn(x).chunk(3, dim=-1)  # T x d
        x = attend(c_attn0, c_attn1, c_attn2, self.heads, dropout_p=self.p if self.training else 0.0, is_causal=True)
        return F.dropout(self.c_proj(x), self.p, self.training)  # T x d


class GPT2MLP(nn.Module):
    def __init__(self, d, p):
        super().__init__()
        self.p = p
        self.c_fc = nn.Linear(d, 4 * d)
        self.c_proj = nn.Linear(4 * d, d)

    def forward(self, x):  # T x d
        x = F.gelu(self.c_fc(x), approximate="tanh")  # T x 4*d
        return F.dropout(self.c_proj(x), self.p, self.training)  # T x d


class GPT2Block(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.ln_1 = nn.LayerNorm(d)
        self.attn = GPT2Attention(d, heads, p)
        self.ln_2 = nn.LayerNorm(d)
        self.mlp = GPT2MLP(d, p)

    def forward(self, x):  # T x d
        out = self.ln_1(x)  # T x d
        attn = self.attn(out) + x  # T x d
        x = self.ln_2(attn)  # T x d
        return self.mlp(x) + attn  # T x d


class Transformer(nn.Module):
    def __init__(self, vocab, context, d, heads, depth, p):
        super().__init__()
        self.p = p
        self.wte = nn.Embedding(vocab, d)
        self.wpe = nn.Embedding(context, d)
        self.h = nn.Sequential(*[GPT2Block(d, heads, p) for _ in range(depth)])
        self.ln_f = nn.LayerNorm(d)

    def forward(self, x):
        wte = self.wte(x)  # T x d
        positions = torch.arange(x.shape[1], device=x.device)  # T
        x = F.dropout(wte + self.wpe(positions), self.p, self.training)  # T x d
        x = self.h(x)  # T x d
        return self.ln_f(x)  # T x d


class GPT2LMHeadModel(nn.Module):
    def __init__(self, vocab=50257, context=1024, d=768, heads=12, depth=12, p=0.1):
        super().__init__()
        self.transformer = Transformer(vocab, context, d, heads, depth, p)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and name.endswith(".c_proj"):
                nn.init.normal_(module.weight, std=0.02 * (2 * depth) ** -0.5)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, x):  # T
        x = self.transformer(x)  # T x d
        return self.lm_head(x)  # T x vocab
