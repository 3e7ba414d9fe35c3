"""LlamaForCausalLM: T in, T x 211 out, 61,968 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


def rotary(x, cos, sin):
    halves0, halves1 = x.chunk(2, dim=-1)  # C x T x W/2
    turned = torch.cat([-halves1, halves0], dim=-1) * sin  # C x T x W
    return x * cos + turned  # C x T x W


class LlamaAttention(nn.Module):
    def __init__(self, d, heads, kv_heads, width):
        super().__init__()
        self.heads = heads
        self.width = width
        self.kv_heads = kv_heads
        self.q_proj = nn.Linear(d, heads * width, bias=False)
        self.k_proj = nn.Linear(d, kv_heads * width, bias=False)
        self.v_proj = nn.Linear(d, kv_heads * width, bias=False)
        self.o_proj = nn.Linear(heads * width, d, bias=False)

    def forward(self, x, cos, sin):
        q_proj = self.q_proj(x).unflatten(-1, (self.heads, self.width)).transpose(1, 2)  # heads x T x width
        k_proj = self.k_proj(x).unflatten(-1, (self.kv_heads, self.width)).transpose(1, 2)  # kv_heads x T x width
        v_proj = self.v_proj(x).unflatten(-1, (self.kv_heads, self.width)).transpose(1, 2)  # kv_heads x T x width
        query = rotary(q_proj, cos, sin)  # heads x T x width
        key = rotary(k_proj, cos, sin)  # kv_heads x T x width
        x = F.scaled_dot_product_attention(query, key, v_proj, is_causal=True, enable_gqa=True)  # heads x T x width
        return self.o_proj(torch.flatten(x.transpose(1, 2), 2))  # T x d


class LlamaMLP(nn.Module):
    def __init__(self, d, hidden):
        super().__init__()
        self.gate_proj = nn.Linear(d, hidden, bias=False)
        self.up_proj = nn.Linear(d, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, d, bias=False)

    def forward(self, x):  # T x d
        gate_proj = F.silu(self.gate_proj(x))  # T x hidden
        up_proj = self.up_proj(x)  # T x hidden
        return self.down_proj(gate_proj * up_proj)  # T x d


class LlamaDecoderLayer(nn.Module):
    def __init__(self, d, heads, kv_heads, width, hidden):
        super().__init__()
        self.self_attn = LlamaAttention(d, heads, kv_heads, width)
        self.mlp = LlamaMLP(d, hidden)
        self.input_layernorm = nn.RMSNorm(d, eps=1e-6)
        self.post_attention_layernorm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, cos, sin):
        out = self.input_layernorm(x)  # T x d
        self_attn = x + self.self_attn(out, cos, sin)  # T x d
        x = self.post_attention_layernorm(self_attn)  # T x d
        return self_attn + self.mlp(x)  # T x d


class Model(nn.Module):
    def __init__(self, vocab, d, heads, kv_heads, width, hidden, depth, theta):
        super().__init__()
        self.width = width
        self.theta = theta
        self.embed_tokens = nn.Embedding(vocab, d)
        self.layers = nn.ModuleList([LlamaDecoderLayer(d, heads, kv_heads, width, hidden) for _ in range(depth)])
        self.norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x):
        places = torch.arange(x.shape[1], device=x.device).unsqueeze(1)  # T x 1
        out = torch.arange(0, self.width, 2, device=x.device)  # width//2
        out = self.theta ** (out.to(next(self.parameters()).dtype) / self.width)  # width//2
        rates = torch.reciprocal(out)  # width//2
        out = places * rates  # T x width//2
        angles = torch.cat([out, out], dim=-1)  # T x width
        cos = torch.cos(angles)  # T x width
        sin = torch.sin(angles)  # T x width
        x = self.embed_tokens(x)  # T x d
        for layer in self.layers:
            x = layer(x, cos, sin)  # T x d
        return self.norm(x)  # T x d


class LlamaForCausalLM(nn.Module):
    def __init__(self, vocab=211, d=48, heads=4, kv_heads=2, width=None, hidden=96, depth=2, theta=10000.0):
        super().__init__()
        width = d // heads if width is None else width
        self.model = Model(vocab, d, heads, kv_heads, width, hidden, depth, theta)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, x):  # T
        x = self.model(x)  # T x d
        return self.lm_head(x)  # T x vocab
