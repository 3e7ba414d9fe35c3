"""UNet: 3 x 64 x 64 in, 1 x 64 x 64 out, 486,553 parameters."""

import torch
import torch.nn.functional as F
from torch import nn


class Stage(nn.Module):
    def __init__(self, in_channels, name, c):
        super().__init__()
        self.add_module(f"{name}conv1", nn.Conv2d(in_channels, c, 3, padding=1, bias=False))
        self.add_module(f"{name}norm1", nn.BatchNorm2d(c))
        self.add_module(f"{name}conv2", nn.Conv2d(c, c, 3, padding=1, bias=False))
        self.add_module(f"{name}norm2", nn.BatchNorm2d(c))

    def forward(self, x):  # in_channels x H x W
        conv1, norm1, conv2, norm2 = self.children()
        x = conv1(x)  # c x H x W
        x = F.relu(norm1(x))  # c x H x W
        x = conv2(x)  # c x H x W
        return F.relu(norm2(x))  # c x H x W


class UNet(nn.Module):
    def __init__(self, f=8):
        super().__init__()
        self.encoder1 = Stage(3, "enc1", f)
        self.encoder2 = Stage(f, "enc2", 2 * f)
        self.encoder3 = Stage(2 * f, "enc3", 4 * f)
        self.encoder4 = Stage(4 * f, "enc4", 8 * f)
        self.bottleneck = Stage(8 * f, "bottleneck", 16 * f)
        self.upconv4 = nn.ConvTranspose2d(16 * f, 8 * f, 2, stride=2)
        self.decoder4 = Stage(16 * f, "dec4", 8 * f)
        self.upconv3 = nn.ConvTranspose2d(8 * f, 4 * f, 2, stride=2)
        self.decoder3 = Stage(8 * f, "dec3", 4 * f)
        self.upconv2 = nn.ConvTranspose2d(4 * f, 2 * f, 2, stride=2)
        self.decoder2 = Stage(4 * f, "dec2", 2 * f)
        self.upconv1 = nn.ConvTranspose2d(2 * f, f, 2, stride=2)
        self.decoder1 = Stage(2 * f, "dec1", f)
        self.conv = nn.Conv2d(f, 1, 1)

    def forward(self, x):  # 3 x 64 x 64
        encoder1 = self.encoder1(x)  # f x 64 x 64
        encoder2 = self.encoder2(F.max_pool2d(encoder1, 2))  # 2*f x 32 x 32
        encoder3 = self.encoder3(F.max_pool2d(encoder2, 2))  # 4*f x 16 x 16
        encoder4 = self.encoder4(F.max_pool2d(encoder3, 2))  # 8*f x 8 x 8
        x = self.bottleneck(F.max_pool2d(encoder4, 2))  # 16*f x 4 x 4
        x = self.upconv4(x)  # 8*f x 8 x 8
        x = torch.cat([x, encoder4], dim=1)  # 16*f x 8 x 8
        x = self.decoder4(x)  # 8*f x 8 x 8
        x = self.upconv3(x)  # 4*f x 16 x 16
        x = torch.cat([x, encoder3], dim=1)  # 8*f x 16 x 16
        x = self.decoder3(x)  # 4*f x 16 x 16
        x = self.upconv2(x)  # 2*f x 32 x 32
        x = torch.cat([x, encoder2], dim=1)  # 4*f x 32 x 32
        x = self.decoder2(x)  # 2*f x 32 x 32
        x = self.upconv1(x)  # f x 64 x 64
        x = torch.cat([x, encoder1], dim=1)  # 2*f x 64 x 64
        x = self.decoder1(x)  # f x 64 x 64
        return torch.sigmoid(self.conv(x))  # 1 x 64 x 64
