"""T5EncoderModel: T in, T x 512 out, 35,330,816 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class T5Attention(nn.Module):
    def __init__(self, first, d, kv, heads, p):
        super().__init__()
        self.heads = heads
        self.kv = kv
        self.p = p
        self.q = nn.Linear(d, heads * kv, bias=False)
        self.k = nn.Linear(d, heads * kv, bias=False)
        self.v = nn.Linear(d, heads * kv, bias=False)
        self.o = nn.Linear(heads * kv, d, bias=False)
        self.relative_attention_bias = None
        if first:
            self.relative_attention_bias = nn.Embedding(32, heads)

    def forward(self, x, bias):
        q = self.q(x).unflatten(-1, (self.heads, self.kv)).transpose(1, 2)  # heads x T x kv
        k = self.k(x).unflatten(-1, (self.heads, self.kv)).transpose(1, 2)  # heads x T x kv
        v = self.v(x).unflatten(-1, (self.heads, self.kv)).transpose(1, 2)  # heads x T x kv
        relative_attention_bias = bias
        if self.relative_attention_bias is not None:
            relative_attention_bias = self.relative_attention_bias(bias)  # T x T x heads
        mask = relative_attention_bias.permute(2, 0, 1)  # heads x T x T
        x = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=self.p if self.training else 0.0,
            scale=1.0,
        )  # heads x T x kv
        x = self.o(torch.flatten(x.transpose(1, 2), 2))  # T x d
        return x, relative_attention_bias


class T5LayerSelfAttention(nn.Module):
    def __init__(self, first, d, kv, heads, p):
        super().__init__()
        self.p = p
        self.SelfAttention = T5Attention(first, d, kv, heads, p)
        self.layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, bias):
        out = self.layer_norm(x)  # T x d
        out, bias = self.SelfAttention(out, bias)  # T x d
        out = F.dropout(out, self.p, self.training)  # T x d
        x = x + out  # T x d
        return x, bias


class DenseReluDense(nn.Module):
    def __init__(self, d, hidden, p):
        super().__init__()
        self.p = p
        self.wi = nn.Linear(d, hidden, bias=False)
        self.wo = nn.Linear(hidden, d, bias=False)

    def forward(self, x):
        x = F.dropout(F.relu(self.wi(x)), self.p, self.training)  # T x hidden
        return self.wo(x)  # T x d


class T5LayerFF(nn.Module):
    def __init__(self, d, hidden, p):
        super().__init__()
        self.p = p
        self.DenseReluDense = DenseReluDense(d, hidden, p)
        self.layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x):  # T x d
        out = self.layer_norm(x)  # T x d
        out = self.DenseReluDense(out)  # T x d
        out = F.dropout(out, self.p, self.training)  # T x d
        return x + out  # T x d


class T5Block(nn.Module):
    def __init__(self, first, d, kv, heads, hidden, p):
        super().__init__()
        self.layer = nn.ModuleList([T5LayerSelfAttention(first, d, kv, heads, p), T5LayerFF(d, hidden, p)])

    def forward(self, x, bias):
        out, bias = self.layer[0](x, bias)  # T x d
        x = self.layer[1](out)  # T x d
        return x, bias


class Encoder(nn.Module):
    def __init__(self, d, kv, heads, hidden, depth, p):
        super().__init__()
        self.block = nn.ModuleList(
            [
                T5Block(True, d, kv, heads, hidden, p),
                *[T5Block(False, d, kv, heads, hidden, p) for _ in range(depth - 1)],
            ]
        )
        self.final_layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, bucket):
        out, bias = self.block[0](x, bucket)  # T x d
        for layer in self.block[1:]:
            out, _ = layer(out, bias)  # T x d
        return self.final_layer_norm(out)  # T x d


class T5EncoderModel(nn.Module):
    def __init__(self, vocab=32128, d=512, kv=64, heads=8, hidden=2048, depth=6, p=0.1):
        super().__init__()
        self.p = p
        self.shared = nn.Embedding(vocab, d)
        self.encoder = Encoder(d, kv, heads, hidden, depth, p)

    def forward(self, x):  # T
        shared = F.dropout(self.shared(x), self.p, self.training)  # T x d
        positions = torch.arange(x.shape[1], device=x.device)  # T
        query = positions.unsqueeze(1)  # T x 1
        distance = positions - query  # T x T
        x = (torch.abs(distance) / 8).to(next(self.parameters()).dtype)  # T x T
        x = torch.floor(torch.log(torch.clamp(x, min=1)) * (8 / 2.772588722239781) + 8)  # T x T
        far = torch.clamp(x, max=15)  # T x T
        near = torch.abs(distance).to(next(self.parameters()).dtype)  # T x T
        is_near = near < 8  # T x T
        size = torch.where(is_near, near, far)  # T x T
        x = distance > 0  # T x T
        x = x * 16  # T x T
        bucket = (x + size).long()  # T x T
        x = self.encoder(shared, bucket)  # T x d
        return F.dropout(x, self.p, self.training)  # T x d
