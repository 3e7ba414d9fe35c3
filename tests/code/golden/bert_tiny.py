"""BertModel: T in, T x 48, 48 out, 71,088 parameters."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, **options):
    """Attention in `heads` parallel parts; all tensors are batch x length x width."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(-3, -2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, **options).transpose(-3, -2).flatten(-2)


class Embeddings(nn.Module):
    def __init__(self, vocab, context, d, p):
        super().__init__()
        self.p = p
        self.word_embeddings = nn.Embedding(vocab, d, padding_idx=0)
        self.position_embeddings = nn.Embedding(context, d)
        self.token_type_embeddings = nn.Embedding(2, d)
        self.LayerNorm = nn.LayerNorm(d, eps=1e-12)

    def forward(self, x):
        word_embeddings = self.word_embeddings(x)  # T x d
        positions = torch.arange(x.shape[1], device=x.device)  # T
        position_embeddings = self.position_embeddings(positions)  # T x d
        x = torch.zeros_like(x)  # T
        x = word_embeddings + self.token_type_embeddings(x) + position_embeddings  # T x d
        return F.dropout(self.LayerNorm(x), self.p, self.training)  # T x d


class AttentionSelf(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.heads = heads
        self.p = p
        self.query = nn.Linear(d, d)
        self.key = nn.Linear(d, d)
        self.value = nn.Linear(d, d)

    def forward(self, x):
        query = self.query(x)  # T x d
        key = self.key(x)  # T x d
        value = self.value(x)  # T x d
        return attend(query, key, value, self.heads, dropout_p=self.p if self.training else 0.0)  # T x d


class Output(nn.Module):
    def __init__(self, in_features, d, p):
        super().__init__()
        self.p = p
        self.dense = nn.Linear(in_features, d)
        self.LayerNorm = nn.LayerNorm(d, eps=1e-12)

    def forward(self, x, residual):
        x = F.dropout(self.dense(x), self.p, self.training) + residual  # T x d
        return self.LayerNorm(x)  # T x d


class Attention(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.self = AttentionSelf(d, heads, p)
        self.output = Output(d, d, p)

    def forward(self, x):
        out = self.self(x)  # T x d
        return self.output(out, x)  # T x d


class Intermediate(nn.Module):
    def __init__(self, d, ff):
        super().__init__()
        self.dense = nn.Linear(d, ff)

    def forward(self, x):
        return F.gelu(self.dense(x))  # T x ff


class Layer(nn.Module):
    def __init__(self, d, heads, ff, p):
        super().__init__()
        self.attention = Attention(d, heads, p)
        self.intermediate = Intermediate(d, ff)
        self.output = Output(ff, d, p)

    def forward(self, x):  # T x d
        attention = self.attention(x)  # T x d
        x = self.intermediate(attention)  # T x ff
        return self.output(x, attention)  # T x d


class Pooler(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.dense = nn.Linear(d, d)

    def forward(self, x):
        return torch.tanh(self.dense(x[:, 0]))  # d


class BertModel(nn.Module):
    def __init__(self, vocab=211, context=32, d=48, heads=4, depth=3, ff=96, p=0.1):
        super().__init__()
        self.embeddings = Embeddings(vocab, context, d, p)
        self.encoder = nn.Sequential(OrderedDict(layer=nn.Sequential(*[Layer(d, heads, ff, p) for _ in range(depth)])))
        self.pooler = Pooler(d)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(self.embeddings.word_embeddings.weight[0])

    def forward(self, x):  # T
        x = self.embeddings(x)  # T x d
        encoder = self.encoder(x)  # T x d
        x = self.pooler(encoder)  # d
        return {"last_hidden_state": encoder, "pooler_output": x}
