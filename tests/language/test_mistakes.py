"""What is said of mistakes in the language, word by word: each is told once, where it stands, with what to try.

The golden file is reviewed like prose. NETSPEC_OVERWRITE_GOLDEN=1 renews it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import netspec
from netspec.errors import Problem
from tests.reviewed import assert_reviewed

GOLDEN = Path(__file__).parent / "golden" / "mistakes.txt"
HEAD = "netspec: 1\ninput: 3x32x32\n"
LENGTH = "netspec: 1\ninput: 8xT\n"
DIGITS = "data: {source: digits, transform: resize 32}\n"
SPECS = {
    # sections
    "layers misspelt": HEAD + "layer: [conv 4 k3]\n",
    "layers called otherwise": HEAD + "model: [conv 4 k3]\n",
    "input misspelt": "netspec: 1\ninptu: 3x32x32\nlayers: [conv 4 k3, add(input prev) when false, fc 10]\n",
    "inputs misspelt": "netspec: 1\ninpts: {a: 3x32x32, b: 4}\nlayers: {x: conv(a) 4 k3, y: fc(b) 3}\n",
    "blocks misspelt": HEAD + "block:\n  unit c: conv $c k3\nlayers: [unit 4, unit 5]\n",
    "params misspelt": HEAD + "param: {w: 4}\nlayers: [conv $w k3, fc $w]\n",
    "a section of train's at the top": HEAD + "layers: [fc 10]\noptimizer: adam\n",
    "an argument of the optimizer's at the top": HEAD + "layers: [fc 10]\nlr: 0.1\n",
    "a key of train's as others have it at the top": HEAD + "layers: [fc 10]\nbatch_size: 32\n",
    "options of the export without its format": HEAD + "layers: [fc 10]\nexport: {format: onnx, output: logits}\n",
    "options of the export alone": HEAD + "layers: [fc 10]\nexport: {opset: 19}\n",
    "a loss by output in a list": HEAD + "layers: [fc 10]\ntrain: {optimizer: adamw, loss: [toxic: bce_logits]}\n",
    "a loss by output": HEAD + "layers: [fc 10]\ntrain: {optimizer: adamw, loss: {toxic: bce_logits}}\n",
    "an optimizer in a list": HEAD + "layers: [fc 10]\ntrain: {loss: mse, optimizer: [adamw: {lr: 0.1}]}\n",
    "optimizers in a list": HEAD + "layers: [fc 10]\ntrain: {loss: mse, optimizer: [adamw lr=0.1, sgd]}\n",
    "an optimizer with its word as a value": HEAD
    + "layers: [fc 10]\ntrain: {loss: mse, optimizer: {type: SGD, lr: 0.1, momentum: 0.9}}\n",
    "a source with its word as a value": HEAD + "layers: [fc 10]\ndata: {source: {name: csv, path: my table.csv}}\n",
    "a flag that is denied": HEAD + "layers: [avgpool 2 nocount_include_pad, fc 10]\n",
    "digits in groups": HEAD + "layers: [fc 1_000]\n",
    "digits in groups in a section": HEAD + "layers: [fc 3]\ntrain: {loss: mse, optimizer: adamw, epochs: 1_000}\n",
    "digits in groups by commas": HEAD + "layers: [fc 3]\ntrain: {loss: mse, optimizer: adamw, epochs: '1,000'}\n",
    "a minus before a 0": HEAD + "layers: [fc 3, scale -010]\n",
    "a minus before a 0 in a section": HEAD + "layers: [fc 3]\ntrain: {loss: mse, optimizer: adamw, epochs: -010}\n",
    "an extends of another form": "netspec: 1\nextends: null\n",
    "an input of another form": "netspec: 1\ninput: [3, 32, 32]\nlayers: {a: conv 4 k3 same, b: add(a input)}\n",
    "inputs of another form": "netspec: 1\ninputs: [3x32x32]\nlayers: {a: conv(image) 4 k3}\n",
    "blocks of another form": HEAD + "blocks: [unit]\nlayers: [unit 4]\n",
    "params of another form": HEAD + "params: [w]\nlayers: [conv $w k3]\n",
    "another version": "netspec: 2\ninput: 4\nlayers: [fc 10]\n",
    "no layers": HEAD + "layers: []\n",
    "a source without its key": HEAD + "layers: [fc 10]\ndata: {csv: {path: my data.csv, target: y}}\n",
    "a path with blanks in a row": HEAD + "layers: [fc 10]\ndata: csv my data.csv target=y\n",
    "outputs with names in a list": HEAD + "layers: [fc 10]\noutputs: [toxic: fc1]\n",
    "steps by number": HEAD + "layers: [conv 3 k1, add(-1 0)]\n",
    "steps by number alone": HEAD + "layers: [conv 3 k1, route(1 2)]\n",
    "a dash for a blank": HEAD + "layers: [conv-16 k3]\n",
    "a dash in a word": HEAD + "layers: [self-attention 3]\n",
    "a loss among the layers": HEAD + "layers: [fc 10, cross_entropy]\n",
    "an augmentation among the layers": HEAD + "layers: [RandomCrop 28, fc 10]\n",
    "an optimizer for a loss": HEAD + "layers: [fc 10]\ntrain: {loss: adam, optimizer: adam}\n",
    "a row for a round of several steps": HEAD + "layers: {l: {repeat: 2, layers: {a: conv 3 k3 same}}}\n",
    "a wrap that has no row of zeros": (
        "netspec: 1\ninput: int T\nlayers: {e: embedding 10 8 padding_idx=0 wrap=weight_norm, m: mean 1, h: fc 3}\n"
    ),
    # what follows from a mistake
    "a misspelt word in long form": HEAD + "layers:\n  - con2d: {out_channels: 4, kernel_size: 3}\n  - fc 10\n",
    "a misspelt word in long form, named": HEAD
    + "layers:\n  a: {con2d: {out_channels: 4, padding: same}}\n".replace(
        "padding: same", "padding: same, kernel_size: 3"
    ),
    "arguments without an operation": HEAD + "layers:\n  first: {out_channels: 4, kernel_size: 3}\n",
    "a colon behind an operation": HEAD + "layers:\n  - conv: 4 k3\n",
    "a step that is lost, and its uses": (
        HEAD + "layers:\n  a: [cnov 4 k3, relu]\n  b: conv $(a.c) k3\n  c: add(b in)\n  d: use(in) a\n"
    ),
    "a step without a name that is lost": HEAD + "layers: [con 4 k3 same, conv 4 k3 same, add(conv2 conv1)]\n",
    "a repetition under a name": HEAD + "layers: {a: conv 3 k3 same x3, b: add(a in)}\n",
    "nothing under a name": HEAD + "layers:\n  a:\n  b: add(a in)\n",
    "a condition that cannot be read": HEAD + "layers:\n  a: {when: s > 1, layers: [relu]}\n  b: add(a in)\n",
    "a repeat that cannot be read": HEAD + "layers:\n  a: {repeat: many, layers: [relu]}\n  b: add(a.* in)\n",
    "a group that cannot be read": HEAD + "layers:\n  - {when: s > 1, layers: {a: relu}}\n  - {b: add(a in)}\n",
    "a body that cannot be read": (
        HEAD
        + "blocks:\n  unit: {repeat: many, layers: {a: conv 9 k3}, outputs: {b: a}}\nlayers: [unit, add(prev in)]\n"
        + "order: [conv*]\n"
    ),
    "a parameter that is lost, and its uses": (
        "netspec: 1\ninput: 1x32x32\nparams: {w: $(1/0), v: $(w*2)}\n"
        "layers: [conv $w k3, conv $v k3, fc out_features=$w]\n"
        + DIGITS
        + "train: {loss: cross_entropy, optimizer: sgd lr=$w, metrics: [topk $w]}\n"
    ),
    "a parameter that data uses": (
        "netspec: 1\ninput: 1x32x32\nparams: {size: $(1/0)}\nlayers: [fc 10]\n"
        "data: {source: digits, transform: resize $size}\n"
    ),
    # headers of blocks and names of parameters
    "a comma in a header": HEAD + "blocks:\n  unit c, s: conv $c k3 s$s\nlayers: [unit 4 2]\n",
    "a function's header": HEAD + "blocks:\n  unit(c, s=1): conv $c k3 s$s\nlayers: [unit 4]\n",
    "a bracket left open in a header": HEAD + "blocks:\n  'unit(x skip c': conv $c k3\nlayers: [unit 4]\n",
    "a header with a condition": HEAD + "blocks:\n  unit c when c > 3: conv $c k3\nlayers: [unit 4]\n",
    "a default that cannot be computed": HEAD + "blocks:\n  unit c s=$(zz + 1): conv $c k3 s$s\nlayers: [unit 4]\n",
    "a parameter called as Python's word": HEAD + "params: {class: 10}\nlayers: [fc $class, fc $(class // 2)]\n",
    "a parameter with a dash": HEAD + "params: {my-width: 10}\nlayers: [fc 10]\n",
    "a block's parameter called as Python's word": HEAD + "blocks:\n  unit if: conv $if k3\nlayers: [unit 4]\n",
    "a column called as Python's word": HEAD + "layers: [{repeat: [1, 2], as: class, layers: [fc $class]}]\n",
    "a parameter called training": HEAD + "params: {training: 3}\nlayers: [fc $training]\n",
    # expressions
    "a remainder of a size of the run": LENGTH + "layers: [conv $(in.w % 4) k3]\n",
    "a share of a size of the run": LENGTH + "layers: [conv $(in.w / 2) k3]\n",
    "a fraction times a size of the run": LENGTH + "layers: [conv $(in.w * 1.5) k3]\n",
    "a power of a size of the run": LENGTH + "layers: [conv $(in.w ** 2) k3]\n",
    "the larger of a size of the run": LENGTH + "layers: ['conv $(max(in.w, 4)) k3']\n",
    "a whole size of the run": LENGTH + "layers: [conv $(int(in.w)) k3]\n",
    "a rounded size of the run": LENGTH + "layers: [conv $(round(in.w)) k3]\n",
    "a condition on a size of the run": LENGTH + "layers: [conv 4 k3 when in.w > 4, fc 3]\n",
    "a word in a sum": HEAD + "params: {act: relu}\nlayers: [conv $(act + 1) k3]\n",
    "a word that is compared": HEAD + "params: {act: relu}\nlayers: [conv 4 k3 when act > 3]\n",
    "a minus before a word": HEAD + "params: {act: relu}\nlayers: [conv -$act k3]\n",
    "a tensor in a sum": HEAD + "layers: {a: conv 4 k3, b: conv $(a + 1) k3}\n",
    "in as a number": HEAD + "layers: [conv $(in + 1) k3]\n",
    "a size that a tensor does not have": HEAD + "layers: [conv $(in.channels) k3]\n",
    "one equals sign": HEAD + "layers: [conv 4 k3 when in.c = 3]\n",
    "another language's and": HEAD + "layers: [conv 4 k3 when in.c > 1 && in.c < 4]\n",
    "another language's power": HEAD + "layers: [conv $(2 ^ 3) k3]\n",
    "a number where a list is looked into": HEAD + "layers: [conv 4 k3 when in.c in 3]\n",
    "an entry of a number": HEAD + "params: {w: 3}\nlayers: ['conv $(w[0]) k3']\n",
    "too few values": HEAD + "layers: [conv $(min(3)) k3]\n",
    "a root of a number below 0": HEAD + "layers: [conv $(sqrt(-1)) k3]\n",
    "a comma inside a bracket": HEAD + "layers: {a: conv 3 k3 same, b: add(a, in), c: 'conv $(max(2, 3)) k3'}\n",
    "a name that nothing has": HEAD + "layers: [conv $width k3]\n",
    # what YAML is no more
    "an item too far left": HEAD + "layers:\n  - conv 4 k3\n - fc 10\n",
    "an item too far right": HEAD + "layers:\n  - conv 4 k3\n   - fc 10\n",
    "a key too far left": HEAD + "train:\n    loss: mse\n  epochs: 3\nlayers: [fc 10]\n",
    "a key too far right": HEAD + "layers:\n  a: conv 4 k3\n   b: fc 10\n",
    "an item among keys": HEAD + "layers:\n  a: conv 4 k3\n  - fc 10\n",
    "a key among items": HEAD + "layers:\n  - conv 4 k3\n  b: fc 10\n",
    "a quote left open": HEAD + "layers:\n  - 'conv 4 k3\n  - fc 10\n",
    "a bracket left open": HEAD + "layers: [conv 4 k3, fc 10\ntrain: {loss: mse}\n",
    "a brace left open": HEAD + "layers: {a: conv 4 k3\n",
    "a bracket too many": HEAD + "layers: [conv 4 k3]]\n",
    "a bracket closed by another": HEAD + "layers: [conv 4 k3}\n",
    "a tab": HEAD + "layers:\n\t- conv 4 k3\n",
    "a second colon": HEAD + "layers:\n  a: conv: 4 k3: 3\n",
    "no space behind a colon": HEAD + "layers:\n  a:conv 4 k3\n  b: fc 10\n",
    "no colon": HEAD + "layers:\n  a: conv 4 k3\n  b fc 10\n",
    "no space behind a dash": HEAD + "layers:\n  -conv 4 k3\n",
    "a parameter in braces": HEAD + "params: {w: 4}\nlayers: [conv ${w} k3]\n",
    "an entry of a list in brackets": HEAD + "params: {w: [4]}\nlayers: [conv $(w[0]) k3]\n",
    "a pattern without quotes": HEAD + "layers: [fc 10]\ninit: {*.bias: zeros}\n",
    "a text that begins with @": HEAD + "layers: [@conv]\n",
    "a backslash": HEAD + 'layers: ["conv \\q"]\n',
    "a merge key": HEAD + "params:\n  <<: {a: 3}\nlayers: [fc 10]\n",
    "an anchor": HEAD + "layers:\n  a: &x conv 4 k3\n  b: *x\n",
    "a tag": HEAD + "layers:\n  a: !!float conv\n",
    "two documents": HEAD + "layers: [fc 10]\n---\na: 3\n",
    "a list as a key": HEAD + "layers: [{a}: 3]\n",
    "a text of many lines": HEAD + "layers: |\n  conv 4 k3\n  fc 10\n",
    # words of other frameworks
    "keras' dense": HEAD + "layers: [dense 10]\n",
    "mha": "netspec: 1\ninput: Tx8\nlayers: [mha 2]\n",
    "deconv": HEAD + "layers: [deconv 4 k3]\n",
    "global_avg_pool": HEAD + "layers: [global_avg_pool]\n",
    "torch.relu": HEAD + "layers: [torch.relu]\n",
    "nn.ReLU": HEAD + "layers: [nn.ReLU()]\n",
    "F.relu": HEAD + "layers: [F.relu]\n",
    "torch.optim.Adam": HEAD + "layers: [fc 10]\ntrain: {loss: cross_entropy, optimizer: torch.optim.Adam}\n",
    "a call as Python has it": HEAD + "layers:\n  - Conv2d(3, 6, kernel_size=5)\n",
    "False": HEAD + "layers: [conv 4 k3 bias=False]\n",
    "True": HEAD + "layers: [conv 4 k3 bias=True]\n",
    "None": HEAD + "layers: [bn momentum=None]\n",
    "None where null is none either": HEAD + "layers: [conv 4 k3 stride=None]\n",
    "yes": "netspec: 1\ninput: Tx10\nlayers: [lstm 3 bidirectional=yes]\n",
    "no, in long form": HEAD + "layers:\n  - conv: {out_channels: 3, kernel_size: 3, bias: no}\n",
    "a number that is too large": HEAD + "layers: [fc 1234567890123456789012]\n",
    "a letter's number that is too large": HEAD + "layers: [conv 4 k1234567890123456789012]\n",
    "a size that is too large": HEAD + "layers: [fc 12345678901234567]\n",
    "einsum as torch has it": "netspec: 1\ninput: 3x4\nlayers:\n  a: einsum(in in) bij,bkj->bik\n",
    "einsum in quotes": "netspec: 1\ninput: 3x4\nlayers:\n  a: einsum(in in) 'bij,bkj->bik'\n",
    "einsum of one": "netspec: 1\ninput: 3x4\nlayers:\n  a: einsum(in) bij->bji\n",
    "a step by its number": HEAD + "layers: {a: [conv 3 k3 same, relu, add(0 in)]}\n",
    "a tuple of Python's": HEAD + "layers:\n  - conv 4 kernel_size=(3, 3)\n",
    "a comma between sizes": HEAD + "layers:\n  - conv 4 k3,3\n",
    "a word in quotes": HEAD + "layers:\n  - conv 4 k3 padding='same'\n",
    "an activation as an argument": HEAD + "layers: [conv 4 k3 activation=relu]\n",
    "filters": HEAD + "layers: [conv filters=4 k3]\n",
    "a sum with a plus": HEAD + "layers:\n  a: conv 3 k3 same\n  b: a + in\n",
    "a repetition with a star": HEAD + "layers:\n  - conv 3 k3 same *3\n",
    "a parameter in braces in a row": HEAD + "params: {w: 4}\nlayers:\n  - conv {w} k3\n",
    "a parameter without its sign": HEAD + "params: {w: 4}\nlayers: [conv w k3]\n",
    "a parameter of capitals without its sign": HEAD + "params: {W: 4}\nlayers: [conv W k3]\n",
    "no comma": HEAD + "layers: [conv 4 k3 relu]\n",
    "a space behind a letter": HEAD + "layers: [conv 4 k 3]\n",
    # shapes and sizes
    "an input with commas": "netspec: 1\ninput: 3,32,32\nlayers: [fc 10]\n",
    "an input as a tuple": "netspec: 1\ninput: (3, 32, 32)\nlayers: [fc 10]\n",
    "an input with a batch": "netspec: 1\ninput: -1x3x32x32\nlayers: [fc 10]\n",
    "an input of small letters": "netspec: 1\ninput: txd\nlayers: [fc 10]\n",
    "an input of torch's dtype": "netspec: 1\ninput: long T\nlayers: [embedding 10 3]\n",
    "an input by name under input": "netspec: 1\ninput: {a: 3x4}\nlayers: [fc(a) 10]\n",
    "groups that do not divide": HEAD + "layers: [conv 4 k3 g2]\n",
    "a kernel of too many numbers": HEAD + "layers: [conv 4 3x3x3]\n",
    "no kernel": HEAD + "layers: [conv 4]\n",
    "a size with a fraction": HEAD + "layers: [conv $(7 / 2) k3]\n",
    "arguments of a lost input": "netspec: 1\ninput: 3xhxw\nlayers: [conv 4 3x3, conv 8 k3x3 stride=2x2]\n",
    "a convolution over a vector": HEAD + "layers: [fc 10, conv 3 k3]\n",
    "sizes that do not join": HEAD + "layers: {a: conv 3 k3, b: concat(a in)}\n",
    "a chance above 1": HEAD + "layers: [dropout 5]\n",
    # other sections
    "a tie to nothing": HEAD + "layers: [fc 10]\ntie: {decoder: fc1.weight}\n",
    "a tie of two shapes": HEAD + "layers: [fc 10, relu, fc 4]\ntie: {fc2.weight: fc1.weight}\n",
    "an order of nothing": HEAD + "layers: [fc 10]\norder: [conv*]\n",
    "weights frozen that are none": HEAD + "layers: [fc 10]\nweights: {freeze: [conv]}\n",
    "a member that is none": HEAD + "layers: [fc 10, use stem]\n",
    "an output that is a number": HEAD + "layers: [fc 10]\noutputs: {a: 3}\n",
    "another phase": HEAD + "layers: [relu when train, fc 10]\n",
    "a block inside itself": HEAD + "blocks: {unit: [unit]}\nlayers: [unit]\n",
    "a learning rate beside the optimizer": HEAD + "layers: [fc 10]\ntrain: {loss: mse, optimizer: sgd, lr: 0.1}\n",
    # groups, defaults and rules
    "two owners at a name": HEAD + "layers: {stem: 'conv 4 k3, relu, conv 8 k3'}\n",
    "a group with a misspelt key": HEAD + "layers: [{repeat: 2, layer: {a$i: conv 3 k3}}, add(a0 in)]\n",
    "a group with a key too many": HEAD + "layers: [{layers: [relu], when: true, foo: 3}]\n",
    "an operation beside repeat": HEAD + "layers:\n  - repeat: 3\n    conv: 3 k3\n",
    "a default that cannot be read": HEAD + "defaults: {conv: 'k3, s2'}\nlayers: [conv 3, fc 10]\n",
    "a comma between defaults": HEAD + "defaults: {conv: k3, s2}\nlayers: [conv 3]\n",
    "a tensor that no layer has": HEAD + "layers: [conv 3 k3]\ninit: {conv: {weight: zeros, bia: ones}}\n",
    "an initialiser for more axes": HEAD + "layers: [conv 3 k3]\ninit: {conv: {bias: xavier_normal}}\n",
    "a param before another": HEAD + "params: {a: $b, b: 3}\nlayers: [fc $a]\n",
    "an argument that a block does not have": HEAD + "blocks:\n  unit c: conv $c k3\nlayers: [{unit: {d: 3}}]\n",
    "a repetition by a word": HEAD + "layers: [conv 3 k3 same xN]\n",
    "an argument behind a comma": HEAD + "layers: ['conv 3->4->8 k3, between=relu']\n",
    "transforms as a mapping": (HEAD + "layers: [fc 10]\ndata: {source: digits, transform: {resize: 32, pad: 2}}\n"),
    "words that compare to none": HEAD + "layers: [fc 10, softmax]\n",
    # slips of the pen
    "nothing behind a dash": HEAD + "layers:\n  - conv 4 k3\n  -\n  - relu\n",
    "a comma at the end of a row": HEAD + "layers:\n  - conv 4 k3,\n  - relu\n",
    "a semicolon": HEAD + "layers: [conv 4 k3; relu]\n",
    "nothing behind an equals sign": HEAD + "layers: [conv 4 k3 stride= 2]\n",
    "spaces around an arrow": HEAD + "layers: [conv 3 -> 8 k3]\n",
    "a bracket too many in a row": HEAD + "layers: [conv 4 k3)]\n",
    "a dollar in a condition": HEAD + "params: {a: 3}\nlayers: [conv 4 k3 when $a > 3]\n",
    "a word in capitals": HEAD + "layers: [conv 4 k3 padding=SAME]\n",
    "0 for false": HEAD + "layers: [conv 4 k3 bias=0]\n",
    "a whole number with a point": HEAD + "layers: [conv 4.0 k3]\n",
    "pad": HEAD + "layers: [conv 4 k3 pad=1]\n",
    "multiply": HEAD + "layers: {a: relu, b: multiply(a in)}\n",
    "curly quotes": HEAD + "layers: [\u201cfc 10\u201d]\n",
    "a sign between sizes": HEAD + "layers: [conv 4 3\u00d73]\n",
    "a name with a lost parameter": HEAD + "params: {n: $(1/0)}\nlayers: {a$n: relu, b: relu(a3)}\n",
    "input and inputs": "netspec: 1\ninput: 3\ninputs: {a: 3}\nlayers: {x: fc(a) 3}\n",
    "a part of a mapping": HEAD + "params: {a: {b: 3}}\nlayers: [fc $(a.b)]\n",
    "a chain with a number": HEAD + "layers: [{chain: [3]}]\n",
    # commas and forms of other formats
    "einsum in brackets": "netspec: 1\ninput: 3x4\nlayers: [einsum(in in) bij,bkj->bik, relu]\n",
    "a comma between sizes in brackets": HEAD + "layers: [conv 4 k3,3, relu]\n",
    "a call as Python has it in brackets": HEAD + "layers: [nn.Conv2d(3, 6, kernel_size=5), relu]\n",
    "several commas in braces": HEAD + "layers: {a: conv 6 k3, bn, relu, b: fc 10}\n",
    "a header in braces": HEAD + "blocks: {unit(x, c): conv(x) $c k3}\nlayers: [unit 3]\n",
    "a type": HEAD + "layers:\n  - type: Conv2d\n    out_channels: 3\n    kernel_size: 3\n",
    "keras' arguments": HEAD + "layers:\n  - Dense: {units: 10, activation: relu}\n",
    "a list of arguments": HEAD + "layers:\n  - Conv2d: [3, 6, 5]\n",
    "a colon behind a word": HEAD + "layers:\n  - relu:\n",
    "a colon between a word and its number": HEAD + "layers:\n  - conv: 10\n",
    "numbers of Keras's layers by name": HEAD + "layers: {Dense: 10, dropout: 0.5}\n",
    "the batch where the channels are": HEAD + "layers: [transpose 0 1, conv 8 k3]\n",
    # rules that never hold
    "an init rule behind one that takes all": HEAD + "layers: [conv 3 k3, fc 4]\ninit: {'*': ones, conv: zeros}\n",
    "an init rule for a part of what is taken": HEAD + "layers: {a: conv 3 k3}\ninit: {conv: ones, a.weight: zeros}\n",
    "an init rule for a tensor that is taken": (
        HEAD + "layers: [fc 4]\ninit: {'*.bias': zeros, fc: {weight: ones, bias: ones}}\n"
    ),
    "an init rule for no layer": HEAD + "layers: [fc 4]\ninit: {conv: zeros}\n",
    "an init rule for a tied parameter": (
        "netspec: 1\ninput: int T\nlayers: {e: embedding 9 4, o: linear 9 nobias}\n"
        "tie: {o.weight: e.weight}\ninit: {linear: zeros}\n"
    ),
    "a default for no layer": HEAD + "defaults: {bn: eps=0.1}\nlayers: [fc 4]\n",
    "a default that every call gives": HEAD + "defaults: {conv: k5}\nlayers: [conv 4 k3]\n",
    "a default behind another": HEAD + "defaults: {conv: nobias, Conv2d: bias=true}\nlayers: [conv 4 k3]\n",
    "a group behind one that takes all": (
        HEAD + "layers: [fc 4]\ntrain: {loss: mse, optimizer: sgd lr=1, groups: {'*': lr=2, fc: lr=3}}\n"
    ),
    "a group for no layer": (HEAD + "layers: [fc 4]\ntrain: {loss: mse, optimizer: sgd lr=1, groups: {conv: lr=3}}\n"),
    "an order of a misspelt member": HEAD + "layers: {stem: conv 4 k3, head: fc 3}\norder: [haed]\n",
    # calls of Python and Keras
    "Linear": "netspec: 1\ninput: 400\nlayers:\n  - Linear(400, 120)\n",
    "nn.Conv2d": HEAD + "layers:\n  - nn.Conv2d(3, 16, 3)\n",
    "nn.Conv2d with options": HEAD + "layers:\n  - nn.Conv2d(3, 16, kernel_size=(3, 5), padding=1, bias=False)\n",
    "nn.MaxPool2d": HEAD + "layers:\n  - nn.MaxPool2d(2, 2)\n",
    "torch.nn.ReLU": HEAD + "layers:\n  - torch.nn.ReLU(inplace=True)\n",
    "a member of a class": HEAD + "layers:\n  - self.conv1 = nn.Conv2d(3, 16, 3)\n",
    "a line of forward": HEAD + "layers:\n  - x = self.conv1(x)\n",
    "torch.flatten": HEAD + "layers:\n  - torch.flatten(x, 1)\n",
    "F.max_pool2d": HEAD + "layers:\n  - F.max_pool2d(F.relu(x), 2)\n",
    "nn.Sequential": HEAD + "layers:\n  - nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())\n",
    "a whole nn.Sequential": HEAD + "layers: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())\n",
    "Keras' Dense": HEAD + "layers:\n  - Dense(10, activation='relu')\n",
    "Keras' Dense in brackets": HEAD + "layers: [Dense(10, activation='relu'), fc 3]\n",
    "Keras' Conv2D": HEAD + "layers:\n  - layers.Conv2D(32, (3, 3), padding='same', activation='relu')\n",
    "Keras' Dropout": HEAD + "layers:\n  - layers.Dropout(0.25)\n",
    "conv with brackets": HEAD + "layers:\n  - conv(3, 6, 5)\n",
    "dropout with brackets": HEAD + "layers: [dropout(0.5)]\n",
    "a list of numbers under a word": HEAD + "layers:\n  - MaxPool2d: [2, 2]\n",
    "a function without inputs": HEAD + "layers: [flatten()]\n",
    # words of other tools
    "LRN": HEAD + "layers: [LRN 5]\n",
    "InnerProduct": HEAD + "layers: [InnerProduct 10]\n",
    "Gemm": HEAD + "layers: [Gemm 10]\n",
    "Eltwise": HEAD + "layers: {a: relu, b: Eltwise(a in)}\n",
    "convolutional": HEAD + "layers: [convolutional 16 k3]\n",
    "shortcut": HEAD + "layers: {a: relu, b: shortcut(a in)}\n",
    "route": HEAD + "layers: {a: relu, b: route(a in)}\n",
    "GlobalAveragePool": HEAD + "layers: [GlobalAveragePool]\n",
    "Activation": HEAD + "layers: [conv 3 k3, Activation relu]\n",
    "DepthwiseConv2D": HEAD + "layers: [DepthwiseConv2D]\n",
    "SeparableConv2D": HEAD + "layers: [SeparableConv2D 64]\n",
    "TimeDistributed": HEAD + "layers: [TimeDistributed]\n",
    "SoftmaxWithLoss": HEAD + "layers: [fc 10, SoftmaxWithLoss]\n",
    "Bottleneck": HEAD + "layers: [Bottleneck 64]\n",
    "SimpleRNN": "netspec: 1\ninput: Tx8\nlayers: [SimpleRNN 16]\n",
    "gpu": HEAD + "layers: [fc 4]\ntrain: {loss: mse, optimizer: sgd lr=1, device: gpu}\n",
    "cuda:0": HEAD + "layers: [fc 4]\ntrain: {loss: mse, optimizer: sgd lr=1, device: 'cuda:0'}\n",
    "fp16": HEAD + "layers: [fc 4]\ntrain: {loss: mse, optimizer: sgd lr=1, precision: fp16}\n",
    "dtype of torch": HEAD + "layers: [to double]\n",
    # several where one stands, and text behind what is complete
    "a loss for each output": (
        HEAD + "layers: [fc 2]\ntrain: {loss: {toxic: bce_logits, spam: bce_logits}, optimizer: sgd lr=1}\n"
    ),
    "metrics by the names of outputs": (
        HEAD + "layers: [fc 2]\ntrain: {loss: mse, optimizer: sgd lr=1, metrics: {a: mae, b: rmse}}\n"
    ),
    "two optimizers": HEAD + "layers: [fc 2]\ntrain: {loss: mse, optimizer: {sgd: lr=1, adam: lr=1}}\n",
    "a condition behind a list": HEAD + "params: {n: 3}\nlayers:\n  a: [conv 4 k3, relu] when n > 2\n",
    "a plain condition behind a list": HEAD + "params: {n: true}\nlayers:\n  a: [conv 4 k3, relu] when n\n",
    "a repetition behind a list": HEAD + "layers:\n  - [conv 3 k3 same, relu] x3\n",
    "a row behind a list": HEAD + "layers:\n  - [conv 3 k3 same, relu] fc 3\n",
    "a repeat by name": HEAD + "params: {n: 3}\nlayers:\n  - {repeat: n, layers: [conv 3 k3 same]}\n",
    "a repeat by a name that is none": HEAD + "layers:\n  - {repeat: depth, layers: [conv 3 k3 same]}\n",
    "a path with a blank": HEAD + "layers: [fc 2]\ndata: csv 'my data.csv' target=y\n",
    "a path with a blank, in long form": (HEAD + "layers: [fc 2]\ndata: {source: 'images \"my photos\" train=a'}\n"),
    "a path in quotes": HEAD + "layers: [fc 2]\ndata: csv 'data.csv' target=y\n",
    "an export of another form": HEAD + "layers: [fc 2]\nexport: [onnx]\n",
    "another format": HEAD + "layers: [fc 2]\nexport: tflite\n",
}
GREY = "netspec: 1\ninput: 1x32x32\n"
TRAIN = (
    "criterion opt lr_scheduler max_epochs batch_size lr patience warmup val_split shuffle amp num_workers save_top_k"
)
SPECS |= {
    f"train has no {key}": GREY + "layers: [fc 10]\n" + f"train: {{loss: cross_entropy, optimizer: adam, {key}: 1}}\n"
    for key in TRAIN.split()
}
SPECS |= {
    f"data has no {key}": GREY + f"layers: [fc 10]\ndata: {{source: digits, transform: resize 32, {key}: 1}}\n"
    for key in ["path", "target", "val", "batch_size", "augmentations", "image_size"]
}
LEAKS = re.compile(
    r"while (parsing|scanning)|\bDim\b|operand|iterable|\bstr\b|(?<!')None\b|math domain|object|mapping values"
)
"""Words of Python's and of the reader's that nobody needs to know."""


@cache
def refused(text: str) -> netspec.SpecError:
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(text, name="net.yaml")
    return caught.value


def problems(title: str) -> tuple[Problem, ...]:
    return tuple(problem for problem in refused(SPECS[title]).problems if problem.severity == "error")


def test_mistakes_are_told_in_these_words() -> None:
    found = "\n\n".join(f"# {title}\n\n{refused(text)}" for title, text in SPECS.items()) + "\n"
    assert_reviewed(found, GOLDEN)


@pytest.mark.parametrize("title", SPECS)
def test_a_mistake_is_told_once_with_what_to_try(title: str) -> None:
    (problem,) = problems(title)
    assert problem.hint
    assert not LEAKS.search(problem.message + problem.hint)


FOLLOWED = {
    "an init rule behind one that takes all": ("'*': ones, conv: zeros", "conv: zeros, '*': ones"),
    "an init rule for a part of what is taken": ("conv: ones, a.weight: zeros", "a.weight: zeros, conv: {bias: ones}"),
    "an init rule for a tensor that is taken": (", bias: ones", ""),
    "an init rule for no layer": ("conv: zeros", "fc: zeros"),
    "an init rule for a tied parameter": ("linear: zeros", "e.weight: zeros"),
    "a default for no layer": ("defaults: {bn: eps=0.1}\n", ""),
    "a default that every call gives": ("conv 4 k3", "conv 4"),
    "a default behind another": (", Conv2d: bias=true", ""),
    "a group behind one that takes all": ("'*': lr=2, fc: lr=3", "fc: lr=3"),
    "an order of a misspelt member": ("haed", "head"),
    "a member of a class": ("self.conv1 = nn.Conv2d(3, 16, 3)", "conv1: conv 3->16 k3"),
    "nn.Sequential": ("nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())", "[conv 3->8 k3, relu]"),
    "a whole nn.Sequential": ("nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())", "[conv 3->8 k3, relu]"),
    "Keras' Dense in brackets": ("Dense(10, activation='relu')", '"fc 10, relu"'),
    "a list of numbers under a word": ("MaxPool2d: [2, 2]", "maxpool k2 s2"),
    "a list of arguments": ("Conv2d: [3, 6, 5]", "conv 3->6 k5"),
    "a colon behind a word": ("relu:", "relu"),
    "numbers of Keras's layers by name": ("{Dense: 10, dropout: 0.5}", "[fc 10, dropout 0.5]"),
    "LRN": ("LRN", "localresponsenorm"),
    "InnerProduct": ("InnerProduct", "fc"),
    "Gemm": ("Gemm", "fc"),
    "Eltwise": ("Eltwise", "add"),
    "convolutional": ("convolutional", "conv"),
    "shortcut": ("shortcut", "add"),
    "route": ("route", "concat"),
    "GlobalAveragePool": ("GlobalAveragePool", "gap"),
    "Activation": ("Activation relu", "relu"),
    "DepthwiseConv2D": ("DepthwiseConv2D", "conv $(in.c) k3 g$(in.c) same"),
    "SeparableConv2D": ("SeparableConv2D 64", "'conv $(in.c) k3 g$(in.c) same, conv 64 k1'"),
    "TimeDistributed": ("TimeDistributed", "linear 3"),
    "SoftmaxWithLoss": (", SoftmaxWithLoss", ""),
    "SimpleRNN": ("SimpleRNN", "rnn"),
    "gpu": ("gpu", "cuda"),
    "cuda:0": ("'cuda:0'", "cuda"),
    "fp16": ("fp16", "bf16"),
    "a loss for each output": ("{toxic: bce_logits, spam: bce_logits}", "bce_logits"),
    "metrics by the names of outputs": ("{a: mae, b: rmse}", "[mae, rmse]"),
    "two optimizers": ("{sgd: lr=1, adam: lr=1}", "{sgd: lr=1}"),
    "a condition behind a list": (
        "[conv 4 k3, relu] when n > 2",
        '{when: "n > 2", layers: [conv 4 k3, relu]}',
    ),
    "a plain condition behind a list": ("[conv 4 k3, relu] when n", "{when: n, layers: [conv 4 k3, relu]}"),
    "a repetition behind a list": ("[conv 3 k3 same, relu] x3", "{repeat: 3, layers: [conv 3 k3 same, relu]}"),
    "a row behind a list": ("] fc 3", "]\n  - fc 3"),
    "a repeat by name": ("repeat: n", "repeat: $n"),
    "a path with a blank": ("csv 'my data.csv' target=y", "{source: {csv: {path: my data.csv, target: y}}}"),
    "a path in quotes": ("'data.csv'", "data.csv"),
    "an export of another form": ("[onnx]", "onnx opset=20"),
    "outputs with names in a list": ("[toxic: fc1]", "{toxic: fc1}"),
    "a dash for a blank": ("conv-16", "conv 16"),
    "a loss among the layers": ("[fc 10, cross_entropy]", "[fc 10]\ntrain: {loss: cross_entropy, optimizer: adam}"),
    "a row for a round of several steps": ("{a: conv 3 k3 same}", "{$i: {a: conv 3 k3 same}}"),
    "a wrap that has no row of zeros": (" padding_idx=0", ""),
    "a source without its key": (
        "{csv: {path: my data.csv, target: y}}",
        "{source: {csv: {path: my data.csv, target: y}}}",
    ),
    "a path with blanks in a row": ("csv my data.csv target=y", "{source: {csv: {path: my data.csv, target: y}}}"),
    "train has no criterion": (
        "loss: cross_entropy, optimizer: adam, criterion: 1",
        "loss: cross_entropy, optimizer: adam",
    ),
    "train has no lr": ("adam, lr: 1", "sgd lr=0.01"),
    "train has no patience": ("patience: 1", "early_stop: val.loss patience=5"),
    "train has no warmup": ("warmup: 1", "scheduler: cosine warmup=500"),
    "train has no val_split": (", val_split: 1", ""),
    "train has no amp": ("amp: 1", "precision: bf16"),
    "train has no save_top_k": ("save_top_k: 1", "checkpoint: {keep: 3}"),
    "data has no val": ("val: 1", "split: {val: 0.1}"),
    "data has no image_size": (", image_size: 1", ""),
}
"""What a person writes who does as the message says."""


@pytest.mark.parametrize("title", FOLLOWED)
def test_who_does_as_the_message_says_has_a_spec_that_fits(title: str) -> None:
    old, new = FOLLOWED[title]
    assert old in SPECS[title]
    netspec.loads(SPECS[title].replace(old, new))
