"""DistilBertModel: T in, T x 768 out, 66,362,880 parameters."""

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
        self.LayerNorm = nn.LayerNorm(d, eps=1e-12)

    def forward(self, x):
        word_embeddings = self.word_embeddings(x)  # T x d
        positions = torch.arange(x.shape[1], device=x.device)  # T
        position_embeddings = self.position_embeddings(positions)  # T x d
        x = self.LayerNorm(word_embeddings + position_embeddings)  # T x d
        return F.dropout(x, self.p, self.training)  # T x d


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d, heads, p):
        super().__init__()
        self.heads = heads
        self.p = p
        self.q_lin = nn.Linear(d, d)
        self.k_lin = nn.Linear(d, d)
        self.v_lin = nn.Linear(d, d)
        self.out_lin = nn.Linear(d, d)

    def forward(self, x):  # T x d
        q_lin = self.q_lin(x)  # T x d
        k_lin = self.k_lin(x)  # T x d
        v_lin = self.v_lin(x)  # T x d
        x = attend(q_lin, k_lin, v_lin, self.heads, dropout_p=self.p if self.training else 0.0)  # T x d
        return self.out_lin(x)  # T x d


class FFN(nn.Module):
    def __init__(self, d, hidden, p):
        super().__init__()
        self.p = p
        self.lin1 = nn.Linear(d, hidden)
        self.lin2 = nn.Linear(hidden, d)

    def forward(self, x):  # T x d
        x = F.gelu(self.lin1(x))  # T x hidden
        return F.dropout(self.lin2(x), self.p, self.training)  # T x d


class TransformerBlock(nn.Module):
    def __init__(self, d, heads, hidden, p):
        super().__init__()
        self.attention = MultiHeadSelfAttention(d, heads, p)
        self.sa_layer_norm = nn.LayerNorm(d, eps=1e-12)
        self.ffn = FFN(d, hidden, p)
        self.output_layer_norm = nn.LayerNorm(d, eps=1e-12)

    def forward(self, x):  # T x d
        x = self.attention(x) + x  # T x d
        sa_layer_norm = self.sa_layer_norm(x)  # T x d
        x = self.ffn(sa_layer_norm) + sa_layer_norm  # T x d
        return self.output_layer_norm(x)  # T x d


class DistilBertModel(nn.Module):
    def __init__(self, vocab=30522, context=512, d=768, heads=12, depth=6, hidden=3072, p=0.1):
        super().__init__()
        self.embeddings = Embeddings(vocab, context, d, p)
        self.transformer = nn.Sequential(
            OrderedDict(layer=nn.Sequential(*[TransformerBlock(d, heads, hidden, p) for _ in range(depth)]))
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(self.embeddings.word_embeddings.weight[0])

    def forward(self, x):  # T
        x = self.embeddings(x)  # T x d
        return self.transformer(x)  # T x d
