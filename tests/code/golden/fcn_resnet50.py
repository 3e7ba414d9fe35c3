"""FCN: 3 x 520 x 520 in, 21 x 520 x 520 out, 32,957,013 parameters."""

import torch.nn.functional as F
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, in_channels, c, s=1, d=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, c, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = nn.Conv2d(c, c, 3, stride=s, padding=d, dilation=d, bias=False)
        self.bn2 = nn.BatchNorm2d(c)
        self.conv3 = nn.Conv2d(c, 4 * c, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * c)
        self.downsample = None
        if s != 1 or in_channels != 4 * c:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, 4 * c, 1, stride=s, bias=False),
                nn.BatchNorm2d(4 * c),
            )

    def forward(self, x):  # in_channels x H x W
        out = self.conv1(x)  # c x H x W
        out = F.relu(self.bn1(out))  # c x H x W
        out = self.conv2(out)  # c x H/s x W/s
        out = F.relu(self.bn2(out))  # c x H/s x W/s
        out = self.conv3(out)  # 4*c x H/s x W/s
        bn3 = self.bn3(out)  # 4*c x H/s x W/s
        if self.downsample is not None:
            x = self.downsample(x)  # 4*c x H/s x W/s
        return F.relu(bn3 + x)  # 4*c x H/s x W/s


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Bottleneck(64, 64), Bottleneck(256, 64), Bottleneck(256, 64))
        self.layer2 = nn.Sequential(Bottleneck(256, 128, s=2), *[Bottleneck(512, 128) for _ in range(3)])
        self.layer3 = nn.Sequential(Bottleneck(512, 256), *[Bottleneck(1024, 256, d=2) for _ in range(5)])
        self.layer4 = nn.Sequential(Bottleneck(1024, 512, d=2), Bottleneck(2048, 512, d=4), Bottleneck(2048, 512, d=4))

    def forward(self, x):
        x = self.conv1(x)  # 64 x 260 x 260
        x = F.max_pool2d(F.relu(self.bn1(x)), 3, stride=2, padding=1)  # 64 x 130 x 130
        x = self.layer1(x)  # 256 x 130 x 130
        x = self.layer2(x)  # 512 x 65 x 65
        x = self.layer3(x)  # 1024 x 65 x 65
        return self.layer4(x)  # 2048 x 65 x 65


class FCN(nn.Module):
    def __init__(self, classes=21):
        super().__init__()
        self.backbone = Backbone()
        self.classifier = nn.Sequential(
            nn.Conv2d(2048, 512, 3, padding=1, bias=False),
            nn.BatchNorm2d(512),
            nn.ReLU(),
            nn.Dropout(p=0.1),
            nn.Conv2d(512, classes, 1),
        )
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("classifier."):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):  # 3 x 520 x 520
        out = self.backbone(x)  # 2048 x 65 x 65
        out = self.classifier(out)  # classes x 65 x 65
        x = F.interpolate(out, size=x.shape[-2:], mode="bilinear")  # classes x 520 x 520
        return {"out": x}
