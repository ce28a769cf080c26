"""A user's script with mistakes; behind each is what mypy must call it. It is not run."""

from __future__ import annotations

import numpy as np

import minialex
from minialex import data, functional, nn, optim, plotting
from minialex.tensor import Tensor


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d("3", 8, None)  # arg-type
        self.fc = nn.Linear(8, 10, bias=1.5)  # arg-type

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)  # attr-defined
        return self.fc(x.flattten(1))  # attr-defined


net = Net()
x = Tensor(np.zeros((4, 3, 8, 8), np.float32))
y: str = net(x)  # assignment
loss = nn.CrossEntropyLoss()(net(x), Tensor(np.zeros(4, np.int64)))
loss.backwards()  # attr-defined
optimizer = optim.SGD(net.parameters(), lr="a")  # arg-type
optimizer.zero_gard()  # attr-defined
optim.Adam(net)  # arg-type
optim.StepLR(net, 3)  # arg-type
optim.SGD(net.parameters(), learning_rate=0.1)  # call-arg
width: str = x.shape[0]  # assignment
print(net.fc.weight.grad.numpy())  # union-attr
for images, _ in data.DataLoader(data.TensorDataset(x), batch_size="4"):  # arg-type
    images.foo()  # attr-defined
data.DataLoader(42)  # arg-type
functional.conv2d(x, net.fc.weight, strid=2)  # call-arg
functional.relu([1.0, 2.0])  # arg-type
functional.max_pool2d(x, "2")  # arg-type
nn.Sequential(nn.ReLU)  # arg-type
nn.ConvTranspose2d(3, 8, 3)  # attr-defined
net.load_state_dict(net.parameters())  # arg-type
net.eval().forwards(x)  # attr-defined
plotting.curves("history", 3)  # arg-type
(x + "1").mean()  # operator
minialex.tensor([1.0]).sum().backwards()  # attr-defined
minialex.zeros(3).shape.append(4)  # attr-defined
