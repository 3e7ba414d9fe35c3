"""T5ForConditionalGeneration: T, T, S in, S x 211 out, 87,424 parameters."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class RelativeBuckets(nn.Module):
    def __init__(self, exact, reach):
        super().__init__()
        self.exact = exact
        self.divisor = math.log(reach / exact)

    def forward(self, x):
        near = x < self.exact
        out = torch.log(torch.clamp(x, min=self.exact).float() / self.exact)
        out = (out / self.divisor * self.exact).long() + self.exact
        out = torch.clamp(out, max=2 * self.exact - 1)
        return torch.where(near, x, out)


class T5Attention(nn.Module):
    def __init__(self, d, kv, heads, buckets, p, first=False):
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
            self.relative_attention_bias = nn.Embedding(buckets, heads)

    def forward(self, x, memory, bias, mask):
        if self.relative_attention_bias is not None:
            bias = self.relative_attention_bias(bias).permute(2, 0, 1) + mask
        q = self.q(x).unflatten(-1, (self.heads, self.kv)).transpose(1, 2)  # heads x M x kv
        k = self.k(memory).unflatten(-1, (self.heads, self.kv)).transpose(1, 2)
        v = self.v(memory).unflatten(-1, (self.heads, self.kv)).transpose(1, 2)
        x = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=bias,
            dropout_p=self.p if self.training else 0.0,
            scale=1.0,
        )  # heads x M x kv
        x = self.o(torch.flatten(x.transpose(1, 2), 2))  # M x d
        return x, bias


class T5LayerSelfAttention(nn.Module):
    def __init__(self, first, d, kv, heads, buckets, p):
        super().__init__()
        self.p = p
        self.SelfAttention = T5Attention(d, kv, heads, buckets, p, first=first)
        self.layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, bias, mask):
        out = self.layer_norm(x)  # M x d
        out, bias = self.SelfAttention(out, out, bias, mask)  # M x d
        x = x + F.dropout(out, self.p, self.training)  # M x d
        return x, bias


class DenseReluDense(nn.Module):
    def __init__(self, d, hidden, p):
        super().__init__()
        self.p = p
        self.wi = nn.Linear(d, hidden, bias=False)
        self.wo = nn.Linear(hidden, d, bias=False)

    def forward(self, x):
        x = F.dropout(F.relu(self.wi(x)), self.p, self.training)  # M x hidden
        return self.wo(x)  # M x d


class T5LayerFF(nn.Module):
    def __init__(self, d, hidden, p):
        super().__init__()
        self.p = p
        self.DenseReluDense = DenseReluDense(d, hidden, p)
        self.layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x):  # M x d
        out = self.layer_norm(x)  # M x d
        out = self.DenseReluDense(out)  # M x d
        return x + F.dropout(out, self.p, self.training)  # M x d


class T5EncoderBlock(nn.Module):
    def __init__(self, d, kv, heads, hidden, buckets, p, first=False):
        super().__init__()
        self.layer = nn.ModuleList([T5LayerSelfAttention(first, d, kv, heads, buckets, p), T5LayerFF(d, hidden, p)])

    def forward(self, x, bias, mask):
        out, bias = self.layer[0](x, bias, mask)  # T x d
        x = self.layer[1](out)  # T x d
        return x, bias


class Encoder(nn.Module):
    def __init__(self, shared, d, kv, heads, hidden, depth, buckets, reach, p):
        super().__init__()
        self.p = p
        self.factor = buckets // 2
        self.bias = RelativeBuckets(buckets // 4, reach)
        self.embed_tokens = shared
        self.block = nn.ModuleList(
            [
                T5EncoderBlock(d, kv, heads, hidden, buckets, p, first=True),
                *[T5EncoderBlock(d, kv, heads, hidden, buckets, p) for _ in range(depth - 1)],
            ]
        )
        self.final_layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, mask):
        words = F.dropout(x, self.p, self.training)  # T x d
        places = torch.arange(x.shape[1], device=x.device)  # T
        distance = places - places.unsqueeze(1)  # T x T
        after = (distance > 0).long() * self.factor  # T x T
        bias = after + self.bias(torch.abs(distance))  # T x T
        out, bias2 = self.block[0](words, bias, mask)  # T x d
        for layer in self.block[1:]:
            out, _ = layer(out, bias2, mask)  # T x d
        return F.dropout(self.final_layer_norm(out), self.p, self.training)  # T x d


class T5LayerCrossAttention(nn.Module):
    def __init__(self, d, kv, heads, buckets, p):
        super().__init__()
        self.p = p
        self.EncDecAttention = T5Attention(d, kv, heads, buckets, p)
        self.layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, memory, mask):
        out = self.layer_norm(x)  # S x d
        out, _ = self.EncDecAttention(out, memory, mask, mask)  # S x d
        return x + F.dropout(out, self.p, self.training)  # S x d


class T5DecoderBlock(nn.Module):
    def __init__(self, d, kv, heads, hidden, buckets, p, first=False):
        super().__init__()
        self.layer = nn.ModuleList(
            [
                T5LayerSelfAttention(first, d, kv, heads, buckets, p),
                T5LayerCrossAttention(d, kv, heads, buckets, p),
                T5LayerFF(d, hidden, p),
            ]
        )

    def forward(self, x, bias, mask, memory, memory_mask):
        out, bias = self.layer[0](x, bias, mask)  # S x d
        x = self.layer[1](out, memory, memory_mask)  # S x d
        x = self.layer[2](x)  # S x d
        return x, bias


class Decoder(nn.Module):
    def __init__(self, shared, d, kv, heads, hidden, decoder_depth, buckets, reach, p):
        super().__init__()
        self.p = p
        self.bias = RelativeBuckets(buckets // 2, reach)
        self.embed_tokens = shared
        self.block = nn.ModuleList(
            [
                T5DecoderBlock(d, kv, heads, hidden, buckets, p, first=True),
                *[T5DecoderBlock(d, kv, heads, hidden, buckets, p) for _ in range(decoder_depth - 1)],
            ]
        )
        self.final_layer_norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, encoder, mask):
        places = torch.arange(x.shape[1], device=x.device)  # S
        bias = self.bias(torch.clamp(places.unsqueeze(1) - places, min=0))  # S x S
        later = torch.full(
            (x.shape[1], x.shape[1]),
            float("-inf"),
            dtype=next(self.parameters()).dtype,
            device=x.device,
        ).triu(1)  # S x S
        x = self.embed_tokens(x)  # S x d
        x = F.dropout(x, self.p, self.training)  # S x d
        out, bias2 = self.block[0](x, bias, later, encoder, mask)  # S x d
        for layer in self.block[1:]:
            out, _ = layer(out, bias2, later, encoder, mask)  # S x d
        return F.dropout(self.final_layer_norm(out), self.p, self.training)  # S x d


class T5ForConditionalGeneration(nn.Module):
    def __init__(
        self,
        vocab=211,
        d=32,
        kv=12,
        heads=4,
        hidden=64,
        depth=3,
        decoder_depth=3,
        buckets=32,
        reach=128,
        p=0.1,
    ):
        super().__init__()
        self.factor = d**-0.5
        self.shared = nn.Embedding(vocab, d)
        self.encoder = Encoder(self.shared, d, kv, heads, hidden, depth, buckets, reach, p)
        self.decoder = Decoder(self.shared, d, kv, heads, hidden, decoder_depth, buckets, reach, p)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        for name, module in self.named_modules():
            if name == "shared":
                nn.init.normal_(module.weight, std=1)
            elif isinstance(module, nn.Linear) and name.endswith(".q"):
                nn.init.normal_(module.weight, std=(d * kv) ** -0.5)
            elif isinstance(module, nn.Linear) and name.endswith(".o"):
                nn.init.normal_(module.weight, std=(heads * kv) ** -0.5)
            elif isinstance(module, nn.Linear) and name.endswith(".wo"):
                nn.init.normal_(module.weight, std=hidden**-0.5)
            elif isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=d**-0.5)
        self.lm_head.weight = self.shared.weight

    def forward(self, input_ids, attention_mask, decoder_input_ids):
        shared = self.shared(input_ids)  # T x d
        x = ((1 - attention_mask.to(next(self.parameters()).dtype)) * -1e9).unsqueeze(1)  # 1 x T
        mask = x.unsqueeze(1)  # 1 x 1 x T
        encoder = self.encoder(shared, mask)  # T x d
        x = self.decoder(decoder_input_ids, encoder, mask)  # S x d
        return self.lm_head(x * self.factor)  # S x vocab
