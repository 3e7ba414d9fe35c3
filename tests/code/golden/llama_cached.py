"""LlamaForCausalLM.

In: T, 2 x 2 x P x 12, 2 x 2 x P x 12.
Out: T x 211, 2 x 2 x (P + T) x 12, 2 x 2 x (P + T) x 12.
61,968 parameters.
"""

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

    def forward(self, x, cos, sin, mask, past_key, past_value):
        q_proj = self.q_proj(x).unflatten(-1, (self.heads, self.width)).transpose(1, 2)  # heads x T x width
        k_proj = self.k_proj(x).unflatten(-1, (self.kv_heads, self.width)).transpose(1, 2)  # kv_heads x T x width
        v_proj = self.v_proj(x).unflatten(-1, (self.kv_heads, self.width)).transpose(1, 2)  # kv_heads x T x width
        query = rotary(q_proj, cos, sin)  # heads x T x width
        x = rotary(k_proj, cos, sin)  # kv_heads x T x width
        keys = torch.cat([past_key, x], dim=2)  # kv_heads x (P + T) x width
        values = torch.cat([past_value, v_proj], dim=2)  # kv_heads x (P + T) x width
        x = F.scaled_dot_product_attention(query, keys, values, attn_mask=mask, enable_gqa=True)  # heads x T x width
        x = self.o_proj(torch.flatten(x.transpose(1, 2), 2))  # T x d
        return x, keys, values


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
    def __init__(self, i, d, heads, kv_heads, width, hidden):
        super().__init__()
        self.i = i
        self.self_attn = LlamaAttention(d, heads, kv_heads, width)
        self.mlp = LlamaMLP(d, hidden)
        self.input_layernorm = nn.RMSNorm(d, eps=1e-6)
        self.post_attention_layernorm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, cos, sin, mask, past_keys, past_values):
        input_layernorm = self.input_layernorm(x)  # T x d
        past_key = past_keys[:, self.i]  # kv_heads x P x width
        past_value = past_values[:, self.i]  # kv_heads x P x width
        out, key, value = self.self_attn(input_layernorm, cos, sin, mask, past_key, past_value)  # T x d
        attended = x + out  # T x d
        x = self.post_attention_layernorm(attended)  # T x d
        x = attended + self.mlp(x)  # T x d
        return x, key, value


class Model(nn.Module):
    def __init__(self, vocab, d, heads, kv_heads, width, hidden, depth, theta):
        super().__init__()
        self.width = width
        self.theta = theta
        self.embed_tokens = nn.Embedding(vocab, d)
        self.layers = nn.ModuleList([LlamaDecoderLayer(i, d, heads, kv_heads, width, hidden) for i in range(depth)])
        self.norm = nn.RMSNorm(d, eps=1e-6)

    def forward(self, x, past_keys, past_values):
        out = torch.arange(past_keys.shape[3], past_keys.shape[3] + x.shape[1], device=past_keys.device)  # T
        places = out.unsqueeze(1)  # T x 1
        seen = torch.arange(past_keys.shape[3] + x.shape[1], device=past_keys.device)  # (P + T)
        mask = seen <= places  # T x (P + T)
        out = torch.arange(0, self.width, 2, device=x.device)  # width//2
        out = self.theta ** (out.to(next(self.parameters()).dtype) / self.width)  # width//2
        rates = torch.reciprocal(out)  # width//2
        out = places * rates  # T x width//2
        angles = torch.cat([out, out], dim=-1)  # T x width
        cos = torch.cos(angles)  # T x width
        sin = torch.sin(angles)  # T x width
        x = self.embed_tokens(x)  # T x d
        keys = []
        values = []
        for layer in self.layers:
            x, key, value = layer(x, cos, sin, mask, past_keys, past_values)  # T x d
            keys.append(key)
            values.append(value)
        norm = self.norm(x)  # T x d
        keys2 = torch.stack(keys, dim=1)  # 2 x kv_heads x (P + T) x width
        x = torch.stack(values, dim=1)  # 2 x kv_heads x (P + T) x width
        return norm, keys2, x


class LlamaForCausalLM(nn.Module):
    def __init__(self, vocab=211, d=48, heads=4, kv_heads=2, width=None, hidden=96, depth=2, theta=10000.0):
        super().__init__()
        width = d // heads if width is None else width
        self.model = Model(vocab, d, heads, kv_heads, width, hidden, depth, theta)
        self.lm_head = nn.Linear(d, vocab, bias=False)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, input_ids, past_keys, past_values):
        out, keys, values = self.model(input_ids, past_keys, past_values)  # T x d
        x = self.lm_head(out)  # T x vocab
        return {"logits": x, "present_keys": keys, "present_values": values}
