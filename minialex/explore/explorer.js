// Made of the modules in web/ by npm run build there; their SHA-256 is 4cd67fcb6a6f13abcc19ac67f681fd49e7c4d94fa9a783330786e1ef730e7575
(() => {
  var __defProp = Object.defineProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };

  // data.js
  function bytesOf(text) {
    const characters = atob(text);
    const bytes = new Uint8Array(characters.length);
    for (let k = 0; k < bytes.length; k++) bytes[k] = characters.charCodeAt(k);
    return bytes;
  }
  var floatsOf = (text) => new Float32Array(bytesOf(text).buffer);
  var integersOf = (text) => new Int32Array(bytesOf(text).buffer);
  function decoded(data) {
    const layers = data.layers.map((layer) => {
      const arrays = {};
      for (const name of ["weight", "bias"]) {
        if (layer[name]) arrays[name] = { ...layer[name], data: layer[name].data && floatsOf(layer[name].data) };
      }
      for (const name of ["mean", "variance"]) if (layer[name]) arrays[name] = floatsOf(layer[name]);
      if ("constant" in layer) arrays.constant = Number(layer.constant);
      for (const name of ["from", "to"]) if (layer[name]) arrays[name] = integersOf(layer[name]);
      return { ...layer, ...arrays };
    });
    const pictures = data.pictures.map(decodedPicture);
    const reading = data.reading && { ...data.reading, mean: floatsOf(data.reading.mean) };
    return { ...data, layers, pictures, reading };
  }
  function decodedPicture(picture) {
    return { ...picture, pixels: bytesOf(picture.pixels), input: picture.input && floatsOf(picture.input) };
  }
  async function eightBitsOf({ bytes, range: [low, high] }) {
    const inflated = new Blob([bytesOf(bytes)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const codes = new Uint8Array(await new Response(inflated).arrayBuffer());
    const numbers = Float32Array.from({ length: 256 }, (_, q) => q ? low + (q - 1) / 254 * (high - low) : NaN);
    const decoded3 = new Float32Array(codes.length);
    for (let k = 0; k < codes.length; k++) decoded3[k] = numbers[codes[k]];
    return decoded3;
  }
  var summaryOf = (summary) => ({ ...summary, mean: summary.mean ?? NaN, std: summary.std ?? NaN });
  var decodedNumbers = (explained) => ({
    ...explained,
    boxes: explained.boxes.map((box2) => ({ ...box2, data: box2.data && floatsOf(box2.data) }))
  });
  async function decodedResult(result) {
    const all = (arrays) => Promise.all(arrays.map(eightBitsOf));
    const [values, gradients] = [await all(result.values), await all(result.gradients)];
    const logits = floatsOf(result.logits);
    const p = floatsOf(result.probabilities);
    [values[values.length - 1], gradients[values.length - 1]] = [logits, Float32Array.from(p)];
    gradients[values.length - 1][result.target] -= 1;
    const parameters = result.parameters.map((named) => Object.entries(named));
    const summaries = {
      values: result.values.map(({ summary }) => summaryOf(summary)),
      gradients: result.gradients.map(({ summary }) => summaryOf(summary)),
      parameterGradients: parameters.map(
        (named) => Object.fromEntries(named.map(([name, { summary }]) => [name, summaryOf(summary)]))
      )
    };
    const pictures = parameters.map(
      (named) => Promise.all(named.filter(([, { bytes }]) => bytes).map(async ([name, of]) => [name, await eightBitsOf(of)]))
    );
    const cams = Object.entries(result.cams).map(async ([n, cam]) => [n, await eightBitsOf(cam)]);
    return {
      target: result.target,
      loss: floatsOf(result.loss)[0],
      values: [...values, p],
      gradients,
      summaries,
      parameterGradients: (await Promise.all(pictures)).map(Object.fromEntries),
      cams: Object.fromEntries(await Promise.all(cams)),
      explained: (result.explained ?? []).map(decodedNumbers)
    };
  }

  // engine/after.js
  var after = (value, next) => value instanceof Promise ? value.then(next) : next(value);

  // engine/attention.js
  function gradCam(network, n, target) {
    const seed = network.logits.map((_, i) => i === target ? 1 : 0);
    const gradient = network.backwardFrom(seed).gradients[n];
    const [channels, height, width] = network.layers[n].output;
    const area = height * width;
    const sums = new Float64Array(area);
    for (let c = 0; c < channels; c++) {
      let weight = 0;
      for (let k = 0; k < area; k++) weight += gradient[c * area + k] / area;
      for (let k = 0; k < area; k++) sums[k] += weight * network.values[n][c * area + k];
    }
    return Float32Array.from(sums, (sum2) => Math.max(0, sum2));
  }
  function* occlusion(network, picture, target, side, stride) {
    const [channels, height, width] = network.layers[0].output;
    const other = network.copy();
    for (let row = 0; row + side <= height; row += stride) {
      for (let column = 0; column + side <= width; column += stride) {
        const covered2 = picture.slice();
        for (let c = 0; c < channels; c++) {
          for (let y = row; y < row + side; y++) {
            covered2.fill(0, (c * height + y) * width + column, (c * height + y) * width + column + side);
          }
        }
        yield { row, column, probability: other.forward(covered2)[target] };
      }
    }
  }

  // engine/shape.js
  var size = ([channels, height, width]) => channels * height * width;
  var indexOf = ([, height, width], [c, y, x]) => (c * height + y) * width + x;
  function placeOf([, height, width], index) {
    const area = height * width;
    return [Math.floor(index / area), Math.floor(index % area / width), index % width];
  }
  var rounded = (numbers) => Float32Array.from(numbers);
  var zeros = (shape) => new Float64Array(size(shape));
  var total = (terms) => terms.reduce((sum2, term) => sum2 + term.product, 0);
  var counted = (terms, name) => `${terms.length} ${name}${terms.length === 1 ? "" : "s"}`;
  var argmax = (numbers) => numbers.reduce((best, x, i) => x > numbers[best] ? i : best, 0);

  // engine/activation.js
  var sigmoidOf = (x) => x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
  function erf(x) {
    if (Math.abs(x) > 6) return Math.sign(x);
    let term = x;
    let sum2 = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum2); n++) sum2 += term *= 2 * x * x / (2 * n + 1);
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum2;
  }
  function geluTanh(x) {
    const scale = Math.sqrt(2 / Math.PI);
    const t = Math.tanh(scale * (x + 0.044715 * x ** 3));
    const slope = 0.5 * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x);
    return { below: 0.5 * (1 + t), slope };
  }
  function geluExact(x) {
    return { below: 0.5 * (1 + erf(x * Math.SQRT1_2)), slope: Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI) };
  }
  var geluOf = ({ approximate }, x) => approximate === "tanh" ? geluTanh(x) : geluExact(x);
  var passed = (g, factor) => factor === 0 ? 0 : g * factor;
  function elementwise(formula, gradient, f, derivative) {
    return {
      formula,
      gradient,
      forward: (layer, [x]) => Float32Array.from(x, (value) => f(layer, value)),
      backward: (layer, [x], y, gy) => ({ inputs: [Float32Array.from(gy, (g, k) => passed(g, derivative(layer, x[k])))] }),
      explain(layer, [x], at) {
        const value = x[indexOf(layer.output, at)];
        const y = f(layer, value);
        const terms = [{ input: 0, at, map: at[0], value }];
        return {
          terms,
          columns: { value: "x" },
          steps: [
            ["x", value],
            [formula.split("      ")[0], y]
          ]
        };
      },
      explainGradient(layer, [x], ys, gy, input, at) {
        const k = indexOf(layer.output, at);
        const factor = derivative(layer, x[k]);
        return [{ at, value: gy[k], factor, product: passed(gy[k], factor) }];
      }
    };
  }
  var relu = elementwise(
    "y = max(x, 0)",
    "gx = gy where y > 0, else 0",
    (layer, x) => x < 0 ? 0 : x,
    // NaN stays NaN
    (layer, x) => x <= 0 ? 0 : 1
  );
  var leakyRelu = elementwise(
    "y = x where x > 0, else negative_slope x",
    "gx = gy where x > 0, else negative_slope gy",
    ({ negativeSlope }, x) => x > 0 ? x : negativeSlope * x,
    ({ negativeSlope }, x) => x > 0 ? 1 : negativeSlope
  );
  var sigmoid = elementwise(
    "y = 1 / (1 + e^-x)",
    "gx = gy y (1 - y)",
    (layer, x) => sigmoidOf(x),
    (layer, x) => sigmoidOf(x) * (1 - sigmoidOf(x))
  );
  var tanh = elementwise(
    "y = tanh(x)",
    "gx = gy (1 - y^2)",
    (layer, x) => Math.tanh(x),
    (layer, x) => 1 - Math.tanh(x) ** 2
  );
  var gelu = elementwise(
    "y = x P(x)",
    "gx = gy (P(x) + x P'(x))",
    (layer, x) => x * geluOf(layer, x).below,
    (layer, x) => geluOf(layer, x).below + x * geluOf(layer, x).slope
  );
  var elu = elementwise(
    "y = x where x > 0, else alpha (e^x - 1)",
    "gx = gy where x > 0, else gy alpha e^x",
    ({ alpha }, x) => x > 0 ? x : alpha * Math.expm1(x),
    ({ alpha }, x) => x > 0 ? 1 : alpha * Math.exp(x)
  );
  var silu = elementwise(
    "y = x s(x),  s(x) = 1 / (1 + e^-x)",
    "gx = gy (s + x s (1 - s))",
    (layer, x) => x * sigmoidOf(x),
    (layer, x) => sigmoidOf(x) * (1 + x * (1 - sigmoidOf(x)))
  );
  var softplus = elementwise(
    "y = log(1 + e^(beta x)) / beta",
    "gx = gy / (1 + e^(-beta x))",
    ({ beta, threshold }, x) => beta * x > threshold ? x : (Math.max(beta * x, 0) + Math.log1p(Math.exp(-Math.abs(beta * x)))) / beta,
    ({ beta, threshold }, x) => beta * x > threshold ? 1 : sigmoidOf(beta * x)
  );
  var dropout = elementwise(
    "y = x (1 - p), or x in the inverted form: nothing is dropped in evaluation",
    "gx = gy times whatever multiplied x",
    ({ keep }, x) => keep * x,
    ({ keep }) => keep
  );
  var identity = elementwise(
    "y = x",
    "gx = gy",
    (layer, x) => x,
    () => 1
  );

  // engine/window.js
  function places({ size: size2, output, adaptive, kernel, stride, padding, dilation }, axis, i) {
    if (adaptive) {
      const first2 = Math.floor(i * size2[axis] / output[axis]);
      const end = Math.ceil((i + 1) * size2[axis] / output[axis]);
      return Array.from({ length: end - first2 }, (_, u) => first2 + u);
    }
    const first = i * stride[axis] - padding[axis][0];
    return Array.from({ length: kernel[axis] }, (_, u) => first + u * dilation[axis]);
  }
  function allPlaces(window2, axis) {
    return Array.from({ length: window2.output[axis] }, (_, i) => places(window2, axis, i));
  }
  var exists = (i, n) => i >= 0 && i < n;
  function seenBy(window2, axis, y) {
    const pairs = [];
    for (let i = 0; i < window2.output[axis]; i++) {
      const u = places(window2, axis, i).indexOf(y);
      if (u >= 0) pairs.push([i, u]);
    }
    return pairs;
  }
  function spanOf({ inputs, output }, axis, first, last, each) {
    let [low, high] = [Infinity, -Infinity];
    each((i, k) => {
      const to = placeOf(output, k)[axis + 1];
      if (to < first || to > last) return;
      const from = placeOf(inputs[0], i)[axis + 1];
      [low, high] = [Math.min(low, from), Math.max(high, from)];
    });
    return low <= high ? [low, high] : [first, last];
  }

  // engine/normalization.js
  var range = (first, count) => Array.from({ length: count }, (_, k) => first + k);
  function neighbours({ size: n, withinChannel, groups, output }, [c, y, x], mirrored = false) {
    const before = mirrored ? n - 1 - Math.floor(n / 2) : Math.floor(n / 2);
    if (withinChannel) {
      const rows = range(y - before, n).filter((row) => exists(row, output[1]));
      const columns = range(x - before, n).filter((column) => exists(column, output[2]));
      return rows.flatMap((row) => columns.map((column) => [c, row, column]));
    }
    const group = output[0] / groups;
    const first = Math.floor(c / group) * group;
    return range(c - before, n).filter((channel) => exists(channel - first, group)).map((channel) => [channel, y, x]);
  }
  function energy(layer, x, at) {
    let squares = 0;
    for (const place2 of neighbours(layer, at)) squares += x[indexOf(layer.output, place2)] ** 2;
    return layer.k + layer.a * squares;
  }
  var localResponseNorm = {
    formula: "y_i = x_i d_i^-beta      d_i = k + a sum over j in window(i) of  x_j^2",
    gradient: "gx_i = gy_i d_i^-beta - 2 a beta x_i sum over the c whose window holds i of  gy_c x_c d_c^(-beta - 1)",
    forward(layer, [x]) {
      layer.d = Float64Array.from(x, (_, k) => energy(layer, x, placeOf(layer.output, k)));
      return Float32Array.from(x, (value, k) => value * layer.d[k] ** -layer.beta);
    },
    backward(layer, [x], y, gy) {
      const { beta, a, d, output } = layer;
      const gx = zeros(output);
      gy.forEach((g, i) => {
        let cross = 0;
        for (const place2 of neighbours(layer, placeOf(output, i), true)) {
          const c = indexOf(output, place2);
          cross += gy[c] * x[c] * d[c] ** (-beta - 1);
        }
        gx[i] = g * d[i] ** -beta - 2 * a * beta * x[i] * cross;
      });
      return { inputs: [rounded(gx)] };
    },
    explain(layer, [x], at) {
      const terms = neighbours(layer, at).map((place2) => {
        const value2 = x[indexOf(layer.output, place2)];
        return { input: 0, at: place2, map: place2[0], value: value2, factor: value2, product: value2 * value2 };
      });
      const value = x[indexOf(layer.output, at)];
      const d = layer.k + layer.a * total(terms);
      const steps = [
        [`sum of ${counted(terms, "square")}`, total(terms)],
        [`d = ${layer.k} + ${Number(layer.a.toPrecision(4))} sum`, d],
        [`d^-${layer.beta}`, d ** -layer.beta],
        ["x", value],
        [`y = x d^-${layer.beta}`, value * d ** -layer.beta]
      ];
      return { terms, columns: { value: "x", product: "x²" }, steps };
    },
    explainGradient(layer, [x], ys, gy, input, at) {
      const { beta, a, output } = layer;
      const i = indexOf(output, at);
      return neighbours(layer, at, true).map((place2) => {
        const c = indexOf(output, place2);
        const d = energy(layer, x, place2);
        const direct = c === i ? d ** -beta : 0;
        const factor = direct - 2 * a * beta * x[c] * x[i] * d ** (-beta - 1);
        return { at: place2, value: gy[c], factor, product: gy[c] * factor };
      });
    }
  };
  function ofChannel({ weight, bias, mean: mean2, variance, eps }, c) {
    const std = Math.sqrt(variance[c] + eps);
    return { std, mean: mean2[c], w: weight ? weight.data[c] : 1, b: bias ? bias.data[c] : 0 };
  }
  var batchNorm = {
    formula: "y = w z + b      z = (x - mean) / sqrt(var + eps)      mean and var: the running ones, of evaluation",
    gradient: "gx = gy w / sqrt(var + eps)      gw = sum gy z      gb = sum gy",
    forward(layer, [x]) {
      return Float32Array.from(x, (value, k) => {
        const { std, mean: mean2, w, b } = ofChannel(layer, placeOf(layer.output, k)[0]);
        return w * (value - mean2) / std + b;
      });
    },
    backward(layer, [x], y, gy) {
      const gw = new Float64Array(layer.output[0]);
      const gb = new Float64Array(layer.output[0]);
      const gx = Float32Array.from(gy, (g, k) => {
        const c = placeOf(layer.output, k)[0];
        const { std, mean: mean2, w } = ofChannel(layer, c);
        gw[c] += g * (x[k] - mean2) / std;
        gb[c] += g;
        return g * w / std;
      });
      const parameters = { ...layer.weight && { weight: rounded(gw) }, ...layer.bias && { bias: rounded(gb) } };
      return { inputs: [gx], parameters };
    },
    explain(layer, [x], at) {
      const { std, mean: mean2, w, b } = ofChannel(layer, at[0]);
      const value = x[indexOf(layer.output, at)];
      const z = (value - mean2) / std;
      const terms = [{ input: 0, at, map: at[0], value }];
      const steps = [
        ["mean", mean2],
        ["sqrt(var + eps)", std],
        ["z = (x - mean) / sqrt(var + eps)", z],
        ["w", w],
        ["b", b]
      ];
      return { terms, columns: { value: "x" }, steps: [...steps, ["y = w z + b", w * z + b]] };
    },
    explainGradient(layer, xs, ys, gy, input, at) {
      const { std, w } = ofChannel(layer, at[0]);
      const value = gy[indexOf(layer.output, at)];
      return [{ at, value, factor: w / std, product: value * w / std }];
    },
    explainParameter(layer, [x], gy, name, [c]) {
      const { std, mean: mean2 } = ofChannel(layer, c);
      const area = layer.output[1] * layer.output[2];
      return range(c * area, area).map((k) => {
        const factor = name === "bias" ? 1 : (x[k] - mean2) / std;
        return { at: placeOf(layer.output, k), value: gy[k], factor, product: gy[k] * factor };
      });
    }
  };

  // engine/contrast.js
  var window = (layer, i, mirrored = false) => neighbours({ ...layer, withinChannel: true }, placeOf(layer.output, i), mirrored).map((p) => indexOf(layer.output, p));
  var around = (layer, i) => window(layer, i);
  var whoseWindowHolds = (layer, i) => window(layer, i, true);
  function difference(layer, x, j) {
    const indices = around(layer, j);
    return x[j] - indices.reduce((sum2, k) => sum2 + x[k], 0) / indices.length;
  }
  function energy2(layer, x, i) {
    return layer.k + layer.a * around(layer, i).reduce((sum2, j) => sum2 + difference(layer, x, j) ** 2, 0);
  }
  var contrastNorm = {
    formula: "y_i = x_i D_i^-beta      D_i = k + a sum over j in window(i) of  d_j^2      d_j = x_j - mean of x over window(j)",
    gradient: "gx_j = gy_j D_j^-beta + gd_j - sum over the i whose window holds j of  gd_i / c_i,   c_i pixels in window(i)\ngd_j = -2 a beta d_j sum over the i whose window holds j of  gy_i x_i D_i^(-beta - 1)",
    forward(layer, [x]) {
      const { k, a, beta } = layer;
      layer.windows = Array.from(x, (_, i) => around(layer, i));
      layer.d = Float64Array.from(x, (_, i) => difference(layer, x, i));
      layer.D = Float64Array.from(layer.windows, (indices) => k + a * indices.reduce((s, j) => s + layer.d[j] ** 2, 0));
      return Float32Array.from(x, (value, i) => value * layer.D[i] ** -beta);
    },
    backward(layer, [x], y, gy) {
      const { output, a, beta, windows, d, D } = layer;
      const gd = zeros(output);
      gy.forEach((g, i) => {
        for (const j of windows[i]) gd[j] -= 2 * a * beta * d[j] * g * x[i] * D[i] ** (-beta - 1);
      });
      const gx = Float64Array.from(gy, (g, j) => g * D[j] ** -beta + gd[j]);
      windows.forEach((window2, i) => window2.forEach((j) => gx[j] -= gd[i] / window2.length));
      return { inputs: [rounded(gx)] };
    },
    explain(layer, [x], at) {
      const { output, k, a, beta } = layer;
      const i = indexOf(output, at);
      const terms = around(layer, i).map((j) => {
        const d = difference(layer, x, j);
        return { input: 0, at: placeOf(output, j), map: at[0], value: x[j], factor: x[j] - d, product: d * d };
      });
      const D = k + a * total(terms);
      const steps = [
        ["sum of d², the squares of x - mean", total(terms)],
        [`D = ${k} + ${Number(a.toPrecision(4))} sum`, D],
        [`D^-${beta}`, D ** -beta],
        ["x", x[i]],
        [`y = x D^-${beta}`, x[i] * D ** -beta]
      ];
      return { terms, columns: { value: "x", factor: "mean", product: "(x - mean)²" }, steps };
    },
    /** Through x_j itself, and through every D whose window has pixels whose means are taken over j. */
    explainGradient(layer, [x], ys, gy, input, at) {
      const { output, a, beta } = layer;
      const j = indexOf(output, at);
      const moved = /* @__PURE__ */ new Map([[j, 1]]);
      for (const i of whoseWindowHolds(layer, j)) moved.set(i, (moved.get(i) ?? 0) - 1 / around(layer, i).length);
      const outputs = /* @__PURE__ */ new Map([[j, 0]]);
      for (const [i, slope] of moved) {
        const part = difference(layer, x, i) * slope;
        for (const c of whoseWindowHolds(layer, i)) outputs.set(c, (outputs.get(c) ?? 0) + part);
      }
      return [...outputs].map(([c, sum2]) => {
        const D = energy2(layer, x, c);
        const direct = c === j ? D ** -beta : 0;
        const factor = direct - 2 * a * beta * x[c] * D ** (-beta - 1) * sum2;
        return { at: placeOf(output, c), value: gy[c], factor, product: gy[c] * factor };
      });
    },
    /** A pixel sees the neighbours of its neighbours, whose means are taken over them. */
    seen({ size: n }, axis, first, last) {
      const before = Math.floor(n / 2);
      return [first - 2 * before, last + 2 * (n - 1 - before)];
    }
  };

  // engine/convolution.js
  function filters({ formula, gradient, axis, filterAt, biasAt, outputsOf }) {
    function channelsOf({ groups, weight, output }, o) {
      const seen2 = weight.shape[axis];
      return [Math.floor(o / (output[0] / groups)) * seen2, seen2];
    }
    function weightAt(layer, [o, i, j], [c, u, v]) {
      const [height, width] = layer.window.kernel;
      return (filterAt(layer, o, i, j, c) * height + u) * width + v;
    }
    function eachProduct2(layer, visit) {
      const { window: window2, output } = layer;
      const rows = allPlaces(window2, 0);
      const columns = allPlaces(window2, 1);
      const [height, width] = window2.size;
      const [kernelHeight, kernelWidth] = window2.kernel;
      for (let o = 0; o < output[0]; o++) {
        const [first, seen2] = channelsOf(layer, o);
        for (let c = 0; c < seen2; c++) {
          for (let i = 0; i < output[1]; i++) {
            for (let j = 0; j < output[2]; j++) {
              const y = (o * output[1] + i) * output[2] + j;
              const filter = filterAt(layer, o, i, j, c) * kernelHeight;
              for (let u = 0; u < kernelHeight; u++) {
                const row = rows[i][u];
                if (!exists(row, height)) continue;
                const w = (filter + u) * kernelWidth;
                const x = ((first + c) * height + row) * width;
                for (let v = 0; v < kernelWidth; v++) {
                  const column = columns[j][v];
                  if (exists(column, width)) visit(y, w + v, x + column);
                }
              }
            }
          }
        }
      }
    }
    return {
      formula,
      gradient,
      forward(layer, [x]) {
        const { weight, bias, output } = layer;
        const w = weight.data;
        const y = zeros(output);
        eachProduct2(layer, (at, k, from) => y[at] += w[k] * x[from]);
        if (bias) y.forEach((_, at) => y[at] += bias.data[biasAt(layer, placeOf(output, at))]);
        return rounded(y);
      },
      backward(layer, [x], y, gy) {
        const { weight, bias, output, inputs } = layer;
        const w = weight.data;
        const gx = zeros(inputs[0]);
        const gw = new Float64Array(w.length);
        eachProduct2(layer, (at, k, from) => {
          gx[from] += gy[at] * w[k];
          gw[k] += gy[at] * x[from];
        });
        const gradients = { weight: rounded(gw) };
        if (bias) {
          const gb = new Float64Array(bias.data.length);
          gy.forEach((g, at) => gb[biasAt(layer, placeOf(output, at))] += g);
          gradients.bias = rounded(gb);
        }
        return { inputs: [rounded(gx)], parameters: gradients };
      },
      /** What y[o, i, j] is made of. */
      explain(layer, [x], at) {
        const { window: window2, weight, bias, inputs } = layer;
        const [o, i, j] = at;
        const [first, seen2] = channelsOf(layer, o);
        const terms = [];
        for (let c = 0; c < seen2; c++) {
          places(window2, 0, i).forEach(
            (row, u) => places(window2, 1, j).forEach((column, v) => {
              const inside = exists(row, window2.size[0]) && exists(column, window2.size[1]);
              const from = [first + c, row, column];
              const value = inside ? x[indexOf(inputs[0], from)] : 0;
              const factor = weight.data[weightAt(layer, at, [c, u, v])];
              terms.push({ input: 0, at: inside ? from : null, map: first + c, value, factor, product: value * factor });
            })
          );
        }
        const sum2 = total(terms);
        const b = bias ? bias.data[biasAt(layer, at)] : 0;
        const steps = [[`sum of ${counted(terms, "product")}`, sum2]];
        if (bias) steps.push(["bias b", b]);
        steps.push(["y = sum + bias", sum2 + b]);
        return { terms, columns: { value: "x", factor: "w", product: "w x" }, grid: window2.kernel, steps };
      },
      /** From which outputs the gradient at x[c, y, x] comes. */
      explainGradient(layer, xs, ys, gy, input, [c, row, column]) {
        const { window: window2, weight, output } = layer;
        const terms = [];
        for (let o = 0; o < output[0]; o++) {
          const [first, seen2] = channelsOf(layer, o);
          if (!exists(c - first, seen2)) continue;
          for (const [i, u] of seenBy(window2, 0, row)) {
            for (const [j, v] of seenBy(window2, 1, column)) {
              const factor = weight.data[weightAt(layer, [o, i, j], [c - first, u, v])];
              const value = gy[indexOf(output, [o, i, j])];
              terms.push({ at: [o, i, j], value, factor, product: value * factor });
            }
          }
        }
        return terms;
      },
      /** What the gradient of a weight or bias is made of; at: its place. */
      explainParameter(layer, [x], gy, name, at) {
        const { window: window2, inputs, output } = layer;
        const [outputs, [c, u, v]] = outputsOf(layer, name, at);
        return outputs.flatMap((place2) => {
          const value = gy[indexOf(output, place2)];
          if (name === "bias") return [{ at: place2, value, factor: 1, product: value }];
          const [o, i, j] = place2;
          const from = [channelsOf(layer, o)[0] + c, places(window2, 0, i)[u], places(window2, 1, j)[v]];
          if (!exists(from[1], window2.size[0]) || !exists(from[2], window2.size[1])) return [];
          const factor = x[indexOf(inputs[0], from)];
          return [{ at: place2, from, value, factor, product: value * factor }];
        });
      }
    };
  }
  var conv2d = filters({
    formula: "y[o, i, j] = b[o] + sum over c, u, v of  w[o, c, u, v] x[c, i s + u d - p, j s + v d - p]",
    gradient: "gx[c, y, x] = sum over the o, i, j whose window holds it of  gy[o, i, j] w[o, c, u, v]",
    axis: 1,
    filterAt: ({ weight }, o, i, j, c) => o * weight.shape[1] + c,
    biasAt: (layer, [o]) => o,
    outputsOf({ output }, name, [o, ...place2]) {
      const area = output[1] * output[2];
      return [Array.from({ length: area }, (_, k) => placeOf(output, o * area + k)), place2];
    }
  });
  var local2d = filters({
    formula: "y[o, i, j] = b[o, i, j] + sum over c, u, v of  w[i, j, o, c, u, v] x[c, i s + u - p, j s + v - p]",
    gradient: "gx[c, y, x] = sum over the o, i, j whose window holds it of  gy[o, i, j] w[i, j, o, c, u, v]",
    axis: 3,
    filterAt: ({ weight, output }, o, i, j, c) => ((i * output[2] + j) * output[0] + o) * weight.shape[3] + c,
    biasAt: ({ output }, at) => indexOf(output, at),
    outputsOf: (layer, name, at) => name === "bias" ? [[at], []] : [[[at[2], at[0], at[1]]], at.slice(3)]
  });

  // engine/joining.js
  var flatten = {
    formula: "y[c H W + i W + j] = x[c, i, j]",
    gradient: "gx[c, i, j] = gy[c H W + i W + j]",
    forward: (layer, [x]) => x.slice(),
    backward: (layer, xs, y, gy) => ({ inputs: [gy.slice()] }),
    explain(layer, [x], at) {
      const k = indexOf(layer.output, at);
      return {
        terms: [{ input: 0, at: placeOf(layer.inputs[0], k), value: x[k] }],
        columns: { value: "x" },
        steps: [["y = x", x[k]]]
      };
    },
    explainGradient(layer, xs, ys, gy, input, at) {
      const k = indexOf(layer.inputs[0], at);
      return [{ at: placeOf(layer.output, k), value: gy[k], factor: 1, product: gy[k] }];
    }
  };
  var placeIn = ({ inputs }, n, at) => at.map((place2, axis) => inputs[n][axis] === 1 ? 0 : place2);
  function indicesIn(layer, n) {
    const same = String(layer.inputs[n]) === String(layer.output);
    return (k) => same ? k : indexOf(layer.inputs[n], placeIn(layer, n, placeOf(layer.output, k)));
  }
  function usesOf({ inputs, output }, n, at) {
    const along = at.map(
      (place2, axis) => inputs[n][axis] === 1 ? Array.from({ length: output[axis] }, (_, i) => i) : [place2]
    );
    return along[0].flatMap((c) => along[1].flatMap((i) => along[2].map((j) => [c, i, j])));
  }
  function joined(formula, gradient, f, derivative) {
    const valuesAt = (layer, xs, at) => xs.map((x, n) => x[indexOf(layer.inputs[n], placeIn(layer, n, at))]);
    return {
      formula,
      gradient,
      forward(layer, xs) {
        const indices = xs.map((_, n) => indicesIn(layer, n));
        return Float32Array.from(zeros(layer.output), (_, k) => f(xs.map((x, n) => x[indices[n](k)])));
      },
      backward(layer, xs, y, gy) {
        const indices = xs.map((_, n) => indicesIn(layer, n));
        const sums = xs.map((x) => new Float64Array(x.length));
        gy.forEach((g, k) => {
          const values = xs.map((x, n) => x[indices[n](k)]);
          sums.forEach((gx, n) => gx[indices[n](k)] += g * derivative(values, n));
        });
        return { inputs: sums.map(rounded) };
      },
      explain(layer, xs, at) {
        const values = valuesAt(layer, xs, at);
        const terms = values.map((value, input) => ({ input, at: placeIn(layer, input, at), value }));
        return { terms, columns: { value: "x" }, steps: [[formula, f(values)]] };
      },
      explainGradient(layer, xs, ys, gy, input, at) {
        return usesOf(layer, input, at).map((place2) => {
          const value = gy[indexOf(layer.output, place2)];
          const factor = derivative(valuesAt(layer, xs, place2), input);
          return { at: place2, value, factor, product: value * factor };
        });
      }
    };
  }
  var others = (values, n) => values.reduce((product2, value, k) => k === n ? product2 : product2 * value, 1);
  var add = joined(
    "y = x1 + x2 + ...",
    "gx1 = gx2 = ... = gy",
    (values) => values.reduce((sum2, value) => sum2 + value, 0),
    () => 1
  );
  var multiply = joined(
    "y = x1 x2 ...",
    "gx1 = gy x2 ..., gx2 = gy x1 ...",
    (values) => others(values),
    others
  );
  var subtract = joined(
    "y = x1 - x2",
    "gx1 = gy, gx2 = -gy",
    ([a, b]) => a - b,
    (values, n) => n ? -1 : 1
  );
  var divide = joined(
    "y = x1 / x2",
    "gx1 = gy / x2, gx2 = -gy x1 / x2^2",
    ([a, b]) => a / b,
    ([a, b], n) => n ? -a / b ** 2 : 1 / b
  );
  var chosen = (word, sign) => joined(
    `y = ${word}(x1, x2)`,
    "the one that was chosen receives gy, each of equal ones a half",
    (values) => sign * Math.max(...values.map((value) => sign * value)),
    ([a, b], n) => a === b ? 0.5 : Number(sign * (n ? b - a : a - b) > 0)
  );
  var maximum = chosen("max", 1);
  var minimum = chosen("min", -1);
  var firstOf = ({ inputs, axis }, n) => inputs.slice(0, n).reduce((sum2, shape) => sum2 + shape[axis], 0);
  var shifted = (layer, n, at) => at.map((place2, axis) => place2 + (axis === layer.axis ? firstOf(layer, n) : 0));
  var concat = {
    formula: "y = x1, then x2, ... along the axis: usually the maps of x1, then those of x2",
    gradient: "gx1 = the first part of gy, gx2 = the next, ...",
    forward(layer, xs) {
      const y = new Float32Array(size(layer.output));
      xs.forEach(
        (x, n) => x.forEach((value, k) => y[indexOf(layer.output, shifted(layer, n, placeOf(layer.inputs[n], k)))] = value)
      );
      return y;
    },
    backward(layer, xs, y, gy) {
      const part = (x, n) => Float32Array.from(x, (_, k) => gy[indexOf(layer.output, shifted(layer, n, placeOf(layer.inputs[n], k)))]);
      return { inputs: xs.map(part) };
    },
    explain(layer, xs, at) {
      const { axis, inputs } = layer;
      const input = inputs.findIndex((shape, n) => at[axis] < firstOf(layer, n) + shape[axis]);
      const from = at.map((place2, k) => place2 - (k === axis ? firstOf(layer, input) : 0));
      const value = xs[input][indexOf(inputs[input], from)];
      return { terms: [{ input, at: from, value }], columns: { value: "x" }, steps: [["y = x", value]] };
    },
    explainGradient(layer, xs, ys, gy, input, from) {
      const at = shifted(layer, input, from);
      const value = gy[indexOf(layer.output, at)];
      return [{ at, value, factor: 1, product: value }];
    },
    /** Along its axis, all of it: which part is of which input depends on the place. */
    seen: ({ axis: joined2, output }, axis, first, last) => axis + 1 === joined2 ? [0, output[joined2] - 1] : [first, last]
  };

  // engine/linear.js
  var linear = {
    formula: "y[o] = b[o] + sum over i of  w[o, i] x[i]",
    gradient: "gx[i] = sum over o of  gy[o] w[o, i]",
    forward({ weight, bias, output }, [x]) {
      const y = zeros(output);
      for (let o = 0; o < y.length; o++) {
        for (let i = 0; i < x.length; i++) y[o] += weight.data[o * x.length + i] * x[i];
        if (bias) y[o] += bias.data[o];
      }
      return rounded(y);
    },
    backward({ weight, bias }, [x], y, gy) {
      const gx = new Float64Array(x.length);
      const gw = new Float64Array(weight.data.length);
      for (let o = 0; o < gy.length; o++) {
        for (let i = 0; i < x.length; i++) {
          gx[i] += gy[o] * weight.data[o * x.length + i];
          gw[o * x.length + i] = gy[o] * x[i];
        }
      }
      return { inputs: [rounded(gx)], parameters: { weight: rounded(gw), ...bias && { bias: gy.slice() } } };
    },
    explain({ weight, bias, inputs }, [x], [o]) {
      const terms = Array.from(x, (value, i) => {
        const factor = weight.data[o * x.length + i];
        return { input: 0, at: placeOf(inputs[0], i), value, factor, product: value * factor };
      });
      const sum2 = total(terms);
      const b = bias ? bias.data[o] : 0;
      const steps = [[`sum of ${counted(terms, "product")}`, sum2]];
      if (bias) steps.push(["bias b", b]);
      steps.push(["y = sum + bias", sum2 + b]);
      return { terms, columns: { value: "x", factor: "w", product: "w x" }, steps };
    },
    explainGradient({ weight, inputs }, xs, ys, gy, input, at) {
      const i = indexOf(inputs[0], at);
      const count = size(inputs[0]);
      return Array.from(gy, (value, o) => {
        const factor = weight.data[o * count + i];
        return { at: [o, 0, 0], value, factor, product: value * factor };
      });
    },
    explainParameter({ inputs }, [x], gy, name, [o, i]) {
      const factor = name === "bias" ? 1 : x[i];
      const from = name === "bias" ? void 0 : placeOf(inputs[0], i);
      return [{ at: [o, 0, 0], from, value: gy[o], factor, product: gy[o] * factor }];
    }
  };

  // engine/pointwise.js
  var pointwise_exports = {};
  __export(pointwise_exports, {
    absolute: () => absolute,
    affine: () => affine,
    clamp: () => clamp,
    exponential: () => exponential,
    logarithm: () => logarithm,
    over: () => over,
    power: () => power
  });
  var affine = elementwise(
    "y = a x + b,   a and b of the layer",
    "gx = gy a",
    ({ a, b }, x) => a * x + b,
    ({ a }) => a
  );
  var over = elementwise(
    "y = c / x,   c of the layer",
    "gx = -gy c / x^2",
    ({ c }, x) => c / x,
    ({ c }, x) => -c / x ** 2
  );
  var power = elementwise(
    "y = x^p,   p of the layer",
    "gx = gy p x^(p - 1)",
    ({ exponent }, x) => x ** exponent,
    ({ exponent: p }, x) => p === 0 ? 0 : p * x ** (p - 1)
  );
  var absolute = elementwise(
    "y = |x|",
    "gx = gy sign(x), 0 at 0",
    (layer, x) => Math.abs(x),
    (layer, x) => Math.sign(x)
  );
  var exponential = elementwise(
    "y = e^x",
    "gx = gy y",
    (layer, x) => Math.exp(x),
    (layer, x) => Math.exp(x)
  );
  var logarithm = elementwise(
    "y = log(x)",
    "gx = gy / x",
    (layer, x) => Math.log(x),
    (layer, x) => 1 / x
  );
  var clamp = elementwise(
    "y = min(max(x, low), high)",
    "gx = gy where low <= x <= high, else 0",
    ({ low, high }, x) => Math.min(Math.max(x, low ?? -Infinity), high ?? Infinity),
    ({ low, high }, x) => Number(x >= (low ?? -Infinity) && x <= (high ?? Infinity))
  );

  // engine/pooling.js
  function under({ window: window2 }, [c, i, j]) {
    const found = [];
    for (const row of places(window2, 0, i)) {
      for (const column of places(window2, 1, j)) {
        if (exists(row, window2.size[0]) && exists(column, window2.size[1])) found.push([c, row, column]);
      }
    }
    return found;
  }
  function above({ window: window2 }, [c, row, column]) {
    const rows = seenBy(window2, 0, row);
    const columns = seenBy(window2, 1, column);
    return rows.flatMap(([i]) => columns.map(([j]) => [c, i, j]));
  }
  function winner(layer, x, at) {
    const candidates = under(layer, at).map((place2) => indexOf(layer.inputs[0], place2));
    return candidates.reduce((best, k) => best < 0 || x[k] > x[best] || Number.isNaN(x[k]) ? k : best, -1);
  }
  var maxPool2d = {
    formula: "y[c, i, j] = the largest x[c, i s + u d - p, j s + v d - p] over u, v",
    gradient: "gx[c, y, x] = sum of the gy[c, i, j] whose window it wins: the first of equal ones",
    forward(layer, [x]) {
      layer.winners = Int32Array.from(zeros(layer.output), (_, k) => winner(layer, x, placeOf(layer.output, k)));
      return Float32Array.from(layer.winners, (from) => x[from] ?? -Infinity);
    },
    backward(layer, [x], y, gy) {
      const gx = zeros(layer.inputs[0]);
      layer.winners.forEach((from, k) => from >= 0 && (gx[from] += gy[k]));
      return { inputs: [rounded(gx)] };
    },
    explain(layer, [x], at) {
      const won = winner(layer, x, at);
      const terms = under(layer, at).map((place2) => {
        const k = indexOf(layer.inputs[0], place2);
        return { input: 0, at: place2, map: at[0], value: x[k], factor: k === won ? 1 : 0, product: k === won ? x[k] : 0 };
      });
      if (won < 0) return { terms, columns: {}, steps: [["y: no pixel is under the window", -Infinity]] };
      const [, row, column] = placeOf(layer.inputs[0], won);
      return {
        terms,
        columns: { value: "x", factor: "wins" },
        steps: [[`y = x at row ${row}, column ${column}: the largest`, x[won]]]
      };
    },
    explainGradient(layer, [x], ys, gy, input, at) {
      const k = indexOf(layer.inputs[0], at);
      return above(layer, at).map((place2) => {
        const value = gy[indexOf(layer.output, place2)];
        const wins = winner(layer, x, place2) === k;
        return { at: place2, value, factor: wins ? 1 : 0, product: wins ? value : 0 };
      });
    }
  };
  function divisor({ window: window2, countPadding, divisor: divisor2 }, [, i, j]) {
    if (divisor2) return divisor2;
    const count = (axis, place2) => {
      const [before, after2] = countPadding ? window2.padding[axis] : [0, 0];
      return places(window2, axis, place2).filter((y) => y >= -before && y < window2.size[axis] + after2).length;
    };
    return count(0, i) * count(1, j);
  }
  var avgPool2d = {
    formula: "y[c, i, j] = 1/D sum over u, v of  x[c, i s + u - p, j s + v - p]",
    gradient: "gx[c, y, x] = sum of gy[c, i, j] / D over the i, j whose window holds it",
    forward(layer, [x]) {
      const y = zeros(layer.output);
      y.forEach((_, k) => {
        const at = placeOf(layer.output, k);
        for (const place2 of under(layer, at)) y[k] += x[indexOf(layer.inputs[0], place2)];
        y[k] /= divisor(layer, at);
      });
      return rounded(y);
    },
    backward(layer, xs, y, gy) {
      const gx = zeros(layer.inputs[0]);
      gy.forEach((g, k) => {
        const at = placeOf(layer.output, k);
        for (const place2 of under(layer, at)) gx[indexOf(layer.inputs[0], place2)] += g / divisor(layer, at);
      });
      return { inputs: [rounded(gx)] };
    },
    explain(layer, [x], at) {
      const d = divisor(layer, at);
      const terms = under(layer, at).map((place2) => {
        const value = x[indexOf(layer.inputs[0], place2)];
        return { input: 0, at: place2, map: at[0], value, factor: 1 / d, product: value / d };
      });
      return {
        terms,
        columns: { value: "x", factor: "1/D", product: "x / D" },
        steps: [
          ["D: pixels that count", d],
          ["y = sum / D", total(terms)]
        ]
      };
    },
    explainGradient(layer, xs, ys, gy, input, at) {
      return above(layer, at).map((place2) => {
        const value = gy[indexOf(layer.output, place2)];
        const factor = 1 / divisor(layer, place2);
        return { at: place2, value, factor, product: value * factor };
      });
    }
  };
  var stochasticPool2d = {
    formula: "y = sum over the window of  p a      a = max(x, 0)      p = a / sum of a      (0 where no x is positive)",
    gradient: "gx = sum of  gy (2 a - y) / sum of a  over the windows that hold it, where x > 0",
    forward(layer, [x]) {
      layer.sums = zeros(layer.output).map((_, k) => positive(layer, x, placeOf(layer.output, k)));
      return Float32Array.from(layer.sums, (sum2, k) => {
        const squares = under(layer, placeOf(layer.output, k)).map(
          (place2) => Math.max(x[indexOf(layer.inputs[0], place2)], 0) ** 2
        );
        return squares.reduce((all, a2) => all + a2, 0) / (sum2 || 1);
      });
    },
    backward(layer, [x], y, gy) {
      const gx = zeros(layer.inputs[0]);
      gy.forEach((g, k) => {
        for (const place2 of under(layer, placeOf(layer.output, k))) {
          const i = indexOf(layer.inputs[0], place2);
          if (x[i] > 0) gx[i] += g * (2 * x[i] - y[k]) / layer.sums[k];
        }
      });
      return { inputs: [rounded(gx)] };
    },
    explain(layer, [x], at) {
      const sum2 = positive(layer, x, at);
      const terms = under(layer, at).map((place2) => {
        const value = x[indexOf(layer.inputs[0], place2)];
        const a = Math.max(value, 0);
        const factor = a / (sum2 || 1);
        return { input: 0, at: place2, map: at[0], value, factor, product: factor * a };
      });
      const steps = [
        ["sum of a = max(x, 0)", sum2],
        ["y = sum of p a", total(terms)]
      ];
      return { terms, columns: { value: "x", factor: "p", product: "p a" }, steps };
    },
    explainGradient(layer, [x], ys, gy, input, at) {
      const value = x[indexOf(layer.inputs[0], at)];
      return above(layer, at).map((place2) => {
        const k = indexOf(layer.output, place2);
        const y = total(this.explain(layer, [x], place2).terms);
        const factor = value > 0 ? (2 * value - y) / positive(layer, x, place2) : 0;
        return { at: place2, value: gy[k], factor, product: gy[k] * factor };
      });
    }
  };
  function positive(layer, x, at) {
    return under(layer, at).reduce((sum2, place2) => sum2 + Math.max(x[indexOf(layer.inputs[0], place2)], 0), 0);
  }
  var stochasticMax = {
    ...maxPool2d,
    formula: "y = the largest a = max(x, 0) of the window",
    gradient: "gx = sum of the gy of the windows that it wins with x > 0: the first of equal ones",
    forward: (layer, xs) => maxPool2d.forward(layer, xs).map((value) => Math.max(value, 0)),
    backward: (layer, xs, y, gy) => maxPool2d.backward(layer, xs, y, gy.map((g, k) => y[k] > 0 ? g : 0)),
    explain(layer, xs, at) {
      const explained = maxPool2d.explain(layer, xs, at);
      const [text, most] = explained.steps[0];
      return { ...explained, steps: [[text.replace("y = ", ""), most], ["y = max(x, 0)", Math.max(most, 0)]] };
    },
    explainGradient(layer, [x], ys, gy, input, at) {
      const isPositive = x[indexOf(layer.inputs[0], at)] > 0;
      const terms = maxPool2d.explainGradient(layer, [x], ys, gy, input, at);
      return isPositive ? terms : terms.map((term) => ({ ...term, factor: 0, product: 0 }));
    }
  };

  // engine/rearranging.js
  var rearrange = {
    formula: "y[k] = x[from(k)], or the constant in a margin",
    gradient: "gx[i] = sum of the gy[k] with from(k) = i",
    /** from[k]: the index in x of output k; -1 for the constant. */
    forward: ({ from, constant }, [x]) => Float32Array.from(from, (i) => i < 0 ? constant : x[i]),
    backward({ from, inputs }, xs, y, gy) {
      const gx = zeros(inputs[0]);
      gy.forEach((g, k) => from[k] >= 0 && (gx[from[k]] += g));
      return { inputs: [rounded(gx)] };
    },
    explain({ from, constant, inputs, output }, [x], at) {
      const i = from[indexOf(output, at)];
      if (i < 0) return { terms: [], columns: {}, steps: [["y = the constant of the margin", constant]] };
      const terms = [{ input: 0, at: placeOf(inputs[0], i), value: x[i] }];
      return { terms, columns: { value: "x" }, steps: [["y = x", x[i]]] };
    },
    explainGradient({ from, inputs, output }, xs, ys, gy, input, at) {
      const i = indexOf(inputs[0], at);
      const outputs = [...from.keys()].filter((k) => from[k] === i);
      return outputs.map((k) => ({ at: placeOf(output, k), value: gy[k], factor: 1, product: gy[k] }));
    },
    seen: (layer, axis, first, last) => spanOf(layer, axis, first, last, (visit) => layer.from.forEach((i, k) => i >= 0 && visit(i, k)))
  };

  // engine/reducing.js
  var membersOf = ({ to, output }, at) => {
    const k = indexOf(output, at);
    return [...to.keys()].filter((i) => to[i] === k);
  };
  var seen = (layer, axis, first, last) => spanOf(layer, axis, first, last, (visit) => layer.to.forEach((k, i) => visit(i, k)));
  var mean = {
    formula: "y = 1/D sum of the x along the axes,   D = how many for a mean, 1 for a sum",
    gradient: "gx = gy / D",
    forward({ to, divisor: divisor2, output }, [x]) {
      const y = zeros(output);
      x.forEach((value, i) => y[to[i]] += value);
      return rounded(y.map((sum2) => sum2 / divisor2));
    },
    backward: ({ to, divisor: divisor2 }, [x], y, gy) => ({ inputs: [Float32Array.from(x, (_, i) => gy[to[i]] / divisor2)] }),
    explain(layer, [x], at) {
      const factor = 1 / layer.divisor;
      const terms = membersOf(layer, at).map((i) => {
        const place2 = placeOf(layer.inputs[0], i);
        return { input: 0, at: place2, map: place2[0], value: x[i], factor, product: x[i] * factor };
      });
      return {
        terms,
        columns: { value: "x", factor: "1/D", product: "x / D" },
        steps: [[`y = sum of ${counted(terms, "term")}`, total(terms)]]
      };
    },
    explainGradient({ to, divisor: divisor2, inputs, output }, xs, ys, gy, input, at) {
      const k = to[indexOf(inputs[0], at)];
      return [{ at: placeOf(output, k), value: gy[k], factor: 1 / divisor2, product: gy[k] / divisor2 }];
    },
    seen
  };
  function winners({ to, output }, x, y) {
    const counts = zeros(output);
    x.forEach((value, i) => value === y[to[i]] && counts[to[i]]++);
    return counts;
  }
  var largest = {
    formula: "y = the largest, or the smallest, x along the axes",
    gradient: "gx = gy / n where x = y, of which there are n; else 0",
    forward({ to, sign, output }, [x]) {
      const y = new Float32Array(zeros(output).length).fill(-sign * Infinity);
      x.forEach((value, i) => (sign * value > sign * y[to[i]] || value !== value) && (y[to[i]] = value));
      return y;
    },
    backward(layer, [x], y, gy) {
      const counts = winners(layer, x, y);
      const { to } = layer;
      return { inputs: [Float32Array.from(x, (value, i) => value === y[to[i]] ? gy[to[i]] / counts[to[i]] : 0)] };
    },
    explain(layer, [x], at) {
      const members = membersOf(layer, at);
      const values = members.map((i) => layer.sign * x[i]);
      const y = layer.sign * Math.max(...values);
      const terms = members.map((i) => {
        const place2 = placeOf(layer.inputs[0], i);
        return { input: 0, at: place2, map: place2[0], value: x[i], factor: Number(x[i] === y) };
      });
      return { terms, columns: { value: "x", factor: "wins" }, steps: [["y", y]] };
    },
    explainGradient(layer, [x], ys, gy, input, at) {
      const i = indexOf(layer.inputs[0], at);
      const k = layer.to[i];
      const place2 = placeOf(layer.output, k);
      const winning = this.explain(layer, [x], place2).terms.filter(({ factor: factor2 }) => factor2);
      const factor = winning.some((term) => indexOf(layer.inputs[0], term.at) === i) ? 1 / winning.length : 0;
      return [{ at: place2, value: gy[k], factor, product: gy[k] * factor }];
    },
    seen
  };

  // engine/resampling.js
  function taps({ rows, columns }, [, i, j]) {
    return rows[i].flatMap(([row, v]) => columns[j].map(([column, w]) => [row, column, v * w]));
  }
  function eachProduct({ rows, columns, inputs, output }, visit) {
    const [, height, width] = inputs[0];
    for (let c = 0; c < output[0]; c++) {
      rows.forEach(
        (above2, i) => columns.forEach((beside, j) => {
          const y = (c * rows.length + i) * columns.length + j;
          for (const [row, v] of above2)
            for (const [column, w] of beside) visit(y, (c * height + row) * width + column, v * w);
        })
      );
    }
  }
  var interpolate = {
    formula: "y[c, i, j] = sum over the taps of  w_row w_column x[c, row(i), column(j)]",
    gradient: "gx[c, y, x] = sum of  w_row w_column gy[c, i, j]  over the i, j that have it as a tap",
    forward(layer, [x]) {
      const y = zeros(layer.output);
      eachProduct(layer, (at, from, weight) => y[at] += weight * x[from]);
      return rounded(y);
    },
    backward(layer, xs, y, gy) {
      const gx = zeros(layer.inputs[0]);
      eachProduct(layer, (at, from, weight) => gx[from] += weight * gy[at]);
      return { inputs: [rounded(gx)] };
    },
    explain(layer, [x], at) {
      const terms = taps(layer, at).map(([row, column, factor]) => {
        const place2 = [at[0], row, column];
        const value = x[indexOf(layer.inputs[0], place2)];
        return { input: 0, at: place2, map: at[0], value, factor, product: value * factor };
      });
      return { terms, columns: { value: "x", factor: "w", product: "w x" }, steps: [["y = sum", total(terms)]] };
    },
    explainGradient({ rows, columns, output }, xs, ys, gy, input, [c, row, column]) {
      const using = (all, place2) => all.flatMap((list2, i) => {
        const weight = list2.reduce((sum2, [tap, w]) => sum2 + (tap === place2 ? w : 0), 0);
        return weight ? [[i, weight]] : [];
      });
      return using(rows, row).flatMap(
        ([i, v]) => using(columns, column).map(([j, w]) => {
          const value = gy[indexOf(output, [c, i, j])];
          return { at: [c, i, j], value, factor: v * w, product: value * v * w };
        })
      );
    },
    seen({ rows, columns }, axis, first, last) {
      const places2 = (axis === 0 ? rows : columns).slice(first, last + 1).flatMap((list2) => list2.map(([place2]) => place2));
      return [Math.min(...places2), Math.max(...places2)];
    }
  };

  // engine/softmax.js
  var softmax = {
    formula: "p_i = e^(x_i - m) / sum over j of  e^(x_j - m),   m = max x",
    gradient: "loss = -log p_t      gx_i = p_i - q_i,   q_i = 1 for the class t of the loss, else 0",
    forward(layer, [x]) {
      const m = Math.max(...x);
      const e = Array.from(x, (value) => Math.exp(value - m));
      const sum2 = e.reduce((a, b) => a + b, 0);
      return Float32Array.from(e, (value) => value / sum2);
    },
    explain(layer, [x], [i]) {
      const m = Math.max(...x);
      const terms = Array.from(x, (value, j) => ({
        input: 0,
        at: placeOf(layer.inputs[0], j),
        value,
        factor: value - m,
        product: Math.exp(value - m)
      }));
      const sum2 = terms.reduce((total2, term) => total2 + term.product, 0);
      const steps = [
        ["m = the largest logit", m],
        [`e^(x_${i} - m)`, terms[i].product],
        [`sum of ${terms.length} exponentials`, sum2],
        [`p_${i} = e^(x_${i} - m) / sum`, terms[i].product / sum2]
      ];
      return { terms, columns: { value: "x", factor: "x - m", product: "e^(x - m)" }, steps };
    },
    explainGradient(layer, xs, p, target, input, [i]) {
      const q = i === target ? 1 : 0;
      return [
        { at: [i, 0, 0], value: p[i], factor: 1, product: p[i] },
        { loss: true, value: q, factor: -1, product: -q }
      ];
    }
  };
  function lossOf(x, target) {
    const m = Math.max(...x);
    return Math.log(x.reduce((sum2, value) => sum2 + Math.exp(value - m), 0)) - (x[target] - m);
  }
  var channelsAt = ({ output }, x, [, i, j]) => Array.from({ length: output[0] }, (_, c) => x[indexOf(output, [c, i, j])]);
  function sharesOf(x) {
    const m = Math.max(...x);
    const e = x.map((value) => Math.exp(value - m));
    const sum2 = e.reduce((a, b) => a + b, 0);
    return [e.map((value) => value / sum2), m, sum2];
  }
  function ofChannels(formula, gradient, valueOf, derivative) {
    const column = (layer, x, at) => sharesOf(channelsAt(layer, x, at));
    return {
      formula,
      gradient,
      forward: (layer, [x]) => Float32Array.from(x, (value, k) => {
        const at = placeOf(layer.output, k);
        return valueOf(value, at[0], ...column(layer, x, at));
      }),
      backward(layer, [x], y, gy) {
        const gx = Float32Array.from(x, (_, k) => {
          const at = placeOf(layer.output, k);
          const [p] = column(layer, x, at);
          return channelsAt(layer, gy, at).reduce((sum2, g, j) => sum2 + g * derivative(p, j, at[0]), 0);
        });
        return { inputs: [gx] };
      },
      explain(layer, [x], at) {
        const [c, i, j] = at;
        const [p, m, sum2] = column(layer, x, at);
        const terms = channelsAt(layer, x, at).map((value, n) => {
          return { input: 0, at: [n, i, j], value, factor: value - m, product: Math.exp(value - m) };
        });
        const steps = [
          ["m = the largest", m],
          [`sum of ${terms.length} exponentials`, sum2],
          [formula.split(",")[0], valueOf(terms[c].value, c, p, m, sum2)]
        ];
        return { terms, columns: { value: "x", factor: "x - m", product: "e^(x - m)" }, steps };
      },
      explainGradient(layer, [x], ys, gy, input, at) {
        const [p] = column(layer, x, at);
        return channelsAt(layer, gy, at).map((value, n) => {
          const factor = derivative(p, n, at[0]);
          return { at: [n, at[1], at[2]], value, factor, product: value * factor };
        });
      }
    };
  }
  var channelSoftmax = ofChannels(
    "y_i = e^(x_i - m) / sum over j of  e^(x_j - m),   m = max x over the channels",
    "gx_i = y_i (gy_i - sum over j of  gy_j y_j)",
    (x, c, p) => p[c],
    (p, j, i) => p[j] * (Number(i === j) - p[i])
  );
  var logSoftmax = ofChannels(
    "y_i = x_i - m - log sum over j of  e^(x_j - m),   m = max x over the channels",
    "gx_i = gy_i - e^(y_i) sum over j of  gy_j",
    (x, c, p, m, sum2) => x - m - Math.log(sum2),
    (p, j, i) => Number(i === j) - p[i]
  );

  // engine/kinds.js
  var KINDS = {
    conv2d,
    local2d,
    linear,
    maxPool2d,
    avgPool2d,
    localResponseNorm,
    batchNorm,
    relu,
    leakyRelu,
    sigmoid,
    tanh,
    gelu,
    elu,
    silu,
    softplus,
    dropout,
    identity,
    flatten,
    add,
    concat,
    softmax,
    contrastNorm,
    stochasticPool2d,
    stochasticMax,
    interpolate,
    rearrange,
    mean,
    largest,
    multiply,
    subtract,
    divide,
    maximum,
    minimum,
    channelSoftmax,
    logSoftmax,
    ...pointwise_exports
  };

  // engine/tied.js
  var layersWith = (layers, n, name) => layers[n][name].tied ?? [n];
  function summedGradient(layers, n, name, ofUse) {
    const gradients = layersWith(layers, n, name).map((user) => ofUse[user][name]);
    return gradients.reduce((sum2, gradient) => sum2.map((g, i) => g + gradient[i]));
  }
  function summedGradients(layers, ofUse) {
    return ofUse.map((named, n) => {
      const summed2 = Object.keys(named).map((name) => [name, summedGradient(layers, n, name, ofUse)]);
      return Object.fromEntries(summed2);
    });
  }

  // engine/explained.js
  var summed = (terms) => [[`sum of ${counted(terms, "term")}`, total(terms)]];
  var Explained = class {
    constructor(layers) {
      this.layers = layers;
      this.end = layers.length - 1;
      this.users = layers.map((_, n) => layers.flatMap((layer, user) => layer.sources.includes(n) ? [user] : []));
    }
    of = (n) => KINDS[this.layers[n].kind];
    get logits() {
      return this.values[this.layers[this.end].sources[0]];
    }
    /** What a value of layer n is made of: {terms, columns, steps}; each term names the layer and place it is from. */
    explain(n, at) {
      if (n === 0) return { terms: [], columns: {}, steps: [["x: the pixel, normalised", this.valueAt(0, at)]] };
      const explained = this.of(n).explain(this.layers[n], this.inputsOf(n), at);
      explained.terms.forEach((term) => term.layer = this.layers[n].sources[term.input]);
      return explained;
    }
    /** From which outputs the gradient at a value of layer n comes: terms gy times derivative, of all its users. */
    explainGradient(n, at) {
      const terms = this.users[n].flatMap(
        (user) => this.layers[user].sources.flatMap((source, input) => {
          if (source !== n) return [];
          const given2 = [this.layers[user], this.inputsOf(user), this.outputOf(user), this.arriving(user), input, at];
          return this.of(user).explainGradient(...given2).map((term) => ({ layer: user, ...term }));
        })
      );
      return { terms, columns: { value: "gy", factor: "dy/dx", product: "product" }, steps: summed(terms) };
    }
    /** From which outputs the gradient of a weight or bias comes: of all layers that have it. */
    explainParameter(n, name, at) {
      const terms = layersWith(this.layers, n, name).flatMap((user) => {
        const given2 = [this.layers[user], this.inputsOf(user), this.arriving(user), name, at];
        return this.of(user).explainParameter(...given2).map((term) => ({ layer: user, source: this.layers[user].sources[0], ...term }));
      });
      return { terms, columns: { value: "gy", factor: "dy/dw", product: "product" }, steps: summed(terms) };
    }
    /** What a pixel of layer n sees of each layer before it: [{layer, rows: [first, last], columns: [first, last]}]. */
    receptiveField(n, at) {
      const seen2 = {
        [n]: [
          [at[1], at[1]],
          [at[2], at[2]]
        ]
      };
      for (let user = n; user >= 1; user--) {
        if (!seen2[user]) continue;
        for (const source of this.layers[user].sources) {
          const box2 = [0, 1].map((axis) => this.seenOf(user, source, axis, seen2[user][axis]));
          const known = seen2[source] ?? box2;
          seen2[source] = box2.map(([a, b], axis) => [Math.min(a, known[axis][0]), Math.max(b, known[axis][1])]);
        }
      }
      return Object.entries(seen2).map(([layer, [rows, columns]]) => ({ layer: Number(layer), rows, columns }));
    }
    /** The first and last row (axis 0) or column (axis 1) of `source` that rows first ... last of layer `user` see. */
    seenOf(user, source, axis, [first, last]) {
      const { kind, window: window2, size: n, withinChannel } = this.layers[user];
      const end = this.layers[source].output[axis + 1] - 1;
      const clipped = (...ends) => ends.map((place2) => Math.max(0, Math.min(end, place2)));
      const { seen: seen2 } = this.of(user);
      if (seen2) return clipped(...seen2(this.layers[user], axis, first, last));
      if (window2) return clipped(places(window2, axis, first)[0], places(window2, axis, last).at(-1));
      if (withinChannel) return clipped(first - Math.floor(n / 2), last - Math.floor(n / 2) + n - 1);
      return kind === "linear" || kind === "flatten" || kind === "softmax" ? [0, end] : clipped(first, last);
    }
  };

  // engine/partial.js
  var partial = (shape) => ({ length: shape.reduce((all, n) => all * n, 1) });
  function fill(array, shape, box2, numbers) {
    let k = 0;
    const along = (axis, index) => {
      for (let i = box2[axis][0]; i < box2[axis][1]; i++) {
        const at = index * shape[axis] + i;
        if (axis + 1 < shape.length) along(axis + 1, at);
        else array[at] = numbers[k++];
      }
    };
    along(0, 0);
  }

  // engine/summary.js
  var BINS = 41;
  function rangeOf(numbers) {
    let [low, high] = [Infinity, -Infinity];
    for (const x of numbers) {
      if (x < low && x > -Infinity) low = x;
      if (x > high && x < Infinity) high = x;
    }
    return low <= high ? [low, high] : [0, 0];
  }
  function countsOf(numbers, low, high) {
    const counts = new Array(BINS).fill(0);
    for (const x of numbers) {
      if (isFinite(x)) counts[Math.min(BINS - 1, Math.floor((x - low) / (high - low || 1) * BINS))]++;
    }
    return counts;
  }
  function summaryOf2(numbers) {
    const [smallest, largest2] = rangeOf(numbers);
    const sum2 = (f) => numbers.reduce((total2, x) => total2 + f(x), 0);
    const mean2 = sum2((x) => x) / numbers.length;
    const std = Math.sqrt(sum2((x) => (x - mean2) ** 2) / numbers.length);
    const zeros2 = sum2((x) => x === 0 ? 1 : 0);
    return { count: numbers.length, smallest, largest: largest2, mean: mean2, std, zeros: zeros2, bins: countsOf(numbers, smallest, largest2) };
  }

  // engine/computed.js
  var keyOf = ({ layer, parameter: parameter2, at }) => `${layer}:${parameter2 ?? ""}:${at}`;
  var Computed = class extends Explained {
    computes = false;
    constructor(layers, source) {
      super(layers);
      this.source = source;
      this.isLive = source.isLive;
      this.logitsLayer = layers[this.end].sources[0];
      for (const { weight } of layers) if (weight && !weight.data) weight.data = partial(weight.shape);
    }
    show(picture) {
      this.picture = picture;
      return after(this.source.shown(picture, null), (result) => this.take(picture, result).values[this.end]);
    }
    backward(target) {
      if (target === this.target) return this.loss;
      const { picture } = this;
      return after(this.source.shown(picture, target), (result) => this.take(picture, result).loss);
    }
    /** Show a result, unless another picture was chosen while it was computed. */
    take(picture, result) {
      if (this.picture !== picture) return result;
      Object.assign(this, result);
      this.exact = { values: [], gradients: [] };
      for (const of of ["values", "gradients"]) {
        this.exact[of] = this.layers.map(({ output }, n) => n < this.logitsLayer ? partial(output) : result[of][n]);
      }
      this.known = /* @__PURE__ */ new Set();
      result.explained.forEach((explained) => this.learn(explained));
      return result;
    }
    /** Take in the numbers that explain a place. */
    learn({ layer, at, name, boxes: boxes2 }) {
      this.known.add(keyOf({ layer, parameter: name, at }));
      for (const { of, layer: n, box: box2, data } of boxes2) {
        const { weight, output } = this.layers[n];
        if (data && of === "weight") fill(weight.data, weight.shape, box2, data);
        else if (data) fill(this.exact[of][n], output, box2, data);
      }
    }
    knows = (chosen2) => this.known.has(keyOf(chosen2));
    ask(chosen2) {
      const { picture, target } = this;
      if (!chosen2.at || chosen2.layer === this.end || this.knows(chosen2)) return null;
      const asked = this.source.numbers(picture, target, chosen2);
      return asked && asked.then((found) => this.picture === picture && this.target === target && this.learn(found));
    }
    /** The places of a layer that are explained. */
    explainedIn(n) {
      const keys = [...this.known].map((key) => key.split(":")).filter(([layer, name]) => layer === String(n) && !name);
      return keys.map(([, , at]) => at.split(",").map(Number));
    }
    inputsOf = (n) => this.layers[n].sources.map((source) => this.exact.values[source]);
    outputOf = (n) => this.exact.values[n];
    arriving = (n) => n === this.end ? this.target : this.exact.gradients[n];
    isExact = (kind, n, at) => this.exact[kind][n][indexOf(this.layers[n].output, at)] !== void 0;
    valueAt = (n, at) => this.at("values", n, at);
    gradientAt = (n, at) => this.at("gradients", n, at);
    at(kind, n, place2) {
      const k = indexOf(this.layers[n].output, place2);
      return this.exact[kind][n][k] ?? this[kind][n][k];
    }
    explain = (n, at) => n === this.end || this.knows({ layer: n, at }) ? super.explain(n, at) : null;
    explainGradient(n, at) {
      return n === this.logitsLayer || this.knows({ layer: n, at }) ? super.explainGradient(n, at) : null;
    }
    explainParameter(n, name, at) {
      return this.knows({ layer: n, parameter: name, at }) ? super.explainParameter(n, name, at) : null;
    }
    gradCam = (n) => this.cams[n];
    async *occlusion(picture, target, side, stride) {
      const probabilities = await this.source.covered(picture, target, side, stride);
      const across = Math.sqrt(probabilities.length);
      for (const [k, probability] of probabilities.entries()) {
        yield { row: Math.floor(k / across) * stride, column: k % across * stride, probability };
      }
    }
    summary(kind, n, name) {
      if (kind === "parameters") return this.layers[n][name].summary ?? summaryOf2(this.layers[n][name].data);
      return name ? this.summaries[kind][n][name] : this.summaries[kind][n];
    }
  };

  // engine/network.js
  var Network = class _Network extends Explained {
    computes = true;
    isLive = true;
    /** The same network, to be at work on another picture. */
    copy = () => new _Network(this.layers.map((layer) => ({ ...layer })));
    inputsOf = (n) => this.layers[n].sources.map((source) => this.values[source]);
    outputOf = (n) => this.values[n];
    /** Begin work on a picture of the page; returns the probabilities. */
    show(picture) {
      return this.forward(picture.input);
    }
    /** All values for an input, a Float32Array (C, H, W). */
    forward(picture) {
      this.values = [picture];
      for (let n = 1; n <= this.end; n++) this.values[n] = this.of(n).forward(this.layers[n], this.inputsOf(n));
      return this.values[this.end];
    }
    /** The gradients of the loss of a class, a number, with respect to all values and parameters; returns the loss. */
    backward(target) {
      this.target = target;
      const p = this.values[this.end];
      Object.assign(this, this.backwardFrom(p.map((value, i) => value - (i === target ? 1 : 0))));
      return lossOf(this.logits, target);
    }
    /** All gradients, where that of the logits is given: {gradients, parameterGradients}, by layer. */
    backwardFrom(ofLogits) {
      const sums = this.layers.map(({ output }) => new Float64Array(size(output)));
      const gradients = [];
      const parameterGradients = [];
      sums[this.layers[this.end].sources[0]].set(ofLogits);
      for (let n = this.end - 1; n >= 1; n--) {
        gradients[n] = rounded(sums[n]);
        const given2 = [this.layers[n], this.inputsOf(n), this.values[n], gradients[n]];
        const { inputs, parameters = {} } = this.of(n).backward(...given2);
        this.layers[n].sources.forEach((source, k) => inputs[k].forEach((g, i) => sums[source][i] += g));
        parameterGradients[n] = parameters;
      }
      gradients[0] = rounded(sums[0]);
      return { gradients, parameterGradients: summedGradients(this.layers, parameterGradients) };
    }
    arriving = (n) => n === this.end ? this.target : this.gradients[n];
    valueAt = (n, at) => this.values[n][indexOf(this.layers[n].output, at)];
    gradientAt = (n, at) => this.gradients[n][indexOf(this.layers[n].output, at)];
    ask() {
      return null;
    }
    isExact() {
      return true;
    }
    gradCam(n) {
      return gradCam(this, n, this.target);
    }
    /** The squares of a picture with the probability of a class when each is covered; see attention.js. */
    occlusion(picture, target, side, stride) {
      return occlusion(this, picture.input, target, side, stride);
    }
    /** See summary.js; kind: "values", "gradients", "parameters" or "parameterGradients"; name: of a parameter. */
    summary(kind, n, name) {
      if (kind === "parameters") return summaryOf2(this.layers[n][name].data);
      return summaryOf2(name ? this.parameterGradients[n][name] : this[kind][n]);
    }
  };

  // reading.js
  async function pixelsOf(file, resize, side) {
    const bitmap = await createImageBitmap(file);
    const scale = resize / Math.min(bitmap.width, bitmap.height);
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
    return drawnOn(canvas);
  }
  function drawnOn(canvas) {
    const { width: side } = canvas;
    const rgba = canvas.getContext("2d").getImageData(0, 0, side, side).data;
    return Uint8Array.from(
      { length: 3 * side * side },
      (_, k) => rgba[4 * (k % (side * side)) + Math.floor(k / (side * side))]
    );
  }
  function normalized(pixels, { mean: mean2, std, blueFirst }) {
    const area = pixels.length / 3;
    const input = new Float32Array(pixels.length);
    pixels.forEach((x, k) => {
      const c = Math.floor(k / area);
      const m = mean2.length === 3 ? mean2[c] : mean2[k];
      input[(blueFirst ? 2 - c : c) * area + k % area] = (x - m) / std[c];
    });
    return input;
  }
  function localPictures(reading, side) {
    const made = (caption, pixels) => ({
      caption,
      shape: [3, side, side],
      pixels,
      input: normalized(pixels, reading),
      label: null
    });
    return {
      ofFile: async (file) => made(file.name, await pixelsOf(file, reading.resize, side)),
      ofDrawing: async (pixels) => made("a drawing", pixels)
    };
  }

  // sources.js
  var Carried = class {
    isLive = false;
    constructor(pictures, results) {
      this.results = new Map(pictures.map((picture, k) => [picture, results[k]]));
      this.unpacked = /* @__PURE__ */ new Map();
    }
    shown(picture) {
      if (!this.unpacked.has(picture)) this.unpacked.set(picture, decodedResult(this.results.get(picture)));
      return this.unpacked.get(picture);
    }
    numbers = () => null;
  };
  var Served = class {
    isLive = true;
    shown = (picture, target) => ask({ do: "show", picture: picture.id, target }).then(decodedResult);
    numbers(picture, target, { layer, at, parameter: parameter2 = null }) {
      return ask({ do: "numbers", picture: picture.id, target, layer, at, name: parameter2 }).then(decodedNumbers);
    }
    /** The probabilities of a class where squares of the picture are covered, row by row. */
    async covered(picture, target, side, stride) {
      const { probabilities } = await ask({ do: "cover", picture: picture.id, target, side, stride });
      return floatsOf(probabilities);
    }
  };
  async function ask(question) {
    let answer;
    try {
      answer = await fetch("ask", { method: "POST", body: JSON.stringify(question) });
    } catch {
      throw new Error("minialex has stopped: start python -m minialex.explore again.");
    }
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    return said;
  }
  var servedPictures = {
    ofFile: async (file) => decodedPicture(await ask({ do: "picture", file: base64(await bytesOf2(file)), name: file.name })),
    ofNumber: async (number) => decodedPicture(await ask({ do: "picture", number })),
    ofDrawing: async (pixels) => decodedPicture(await ask({ do: "picture", drawn: base64(pixels) }))
  };
  var bytesOf2 = async (file) => new Uint8Array(await file.arrayBuffer());
  function base64(bytes) {
    let text = "";
    for (let k = 0; k < bytes.length; k += 8192) text += String.fromCharCode(...bytes.subarray(k, k + 8192));
    return btoa(text);
  }

  // view/dom.js
  function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== void 0 && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== void 0 && child !== null));
    return made;
  }
  function format(x, digits = 4) {
    const size2 = Math.abs(x);
    const text = x === 0 || !isFinite(x) || size2 >= 1e-3 && size2 < 1e5 ? String(Number(x.toPrecision(digits))) : x.toExponential(digits - 1);
    return text.replaceAll("-", "−");
  }
  var percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 2 : 1)} %`;
  function table(headings, rows, caption) {
    const cell = (content) => typeof content === "number" ? element("td", { class: "number" }, format(content, 6)) : element("td", {}, content);
    const head = headings && element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text))));
    const body = element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell))));
    return element(
      "div",
      { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption },
      element("table", {}, head, body)
    );
  }
  function shortened(container, items, count, name) {
    container.append(...items.slice(0, count).map((make) => make()));
    if (items.length <= count) return container;
    const more = element("button", { type: "button" }, `show all ${items.length} ${name}`);
    more.addEventListener("click", () => {
      more.remove();
      container.append(...items.slice(count).map((make) => make()));
    });
    return element("div", {}, container, more);
  }
  var nameOf = (place2) => place2.getAttribute("aria-label") ?? place2.textContent;
  function refill(container, content, other) {
    const before = container.contains(document.activeElement) && nameOf(document.activeElement);
    container.replaceChildren(...content);
    if (before === false) return;
    const places2 = [...container.querySelectorAll("button, canvas[tabindex], summary")];
    const same = places2.find((place2) => nameOf(place2) === before);
    (same ?? other)?.focus({ preventScroll: true });
  }

  // view/colors.js
  var POSITIVE = [213, 94, 0];
  var NEGATIVE = [0, 114, 178];
  var NOT_FINITE = [204, 121, 167];
  var isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  var lineColor = () => isDark() ? [58, 58, 68] : [214, 214, 222];
  var mixed = (a, b, share) => a.map((value, k) => value + share * (b[k] - value));
  function greys(numbers) {
    const [low, high] = rangeOf(numbers);
    const scale = 255 / (high - low || 1);
    const shades = Array.from({ length: 256 }, (_, shade) => [shade, shade, shade]);
    return (x) => isFinite(x) ? shades[Math.round((x - low) * scale)] : NOT_FINITE;
  }
  function fullColor(numbers) {
    let [squares, count, most] = [0, 0, 0];
    for (const x of numbers) {
      if (!isFinite(x) || x === 0) continue;
      squares += x * x;
      count++;
      most = Math.max(most, Math.abs(x));
    }
    return Math.min(most, 4 * Math.sqrt(squares / (count || 1)));
  }
  function twoColors(numbers, clipped = false) {
    const most = (clipped ? fullColor(numbers) : Math.max(...rangeOf(numbers).map(Math.abs))) || 1;
    const zero = isDark() ? [20, 20, 24] : [255, 255, 255];
    const shades = [NEGATIVE, POSITIVE].map(
      (color) => Array.from({ length: 256 }, (_, k) => mixed(zero, color, k / 255))
    );
    const shade = (x) => Math.round(255 * Math.min(1, Math.abs(x) / most));
    return (x) => isFinite(x) ? shades[Number(x >= 0)][shade(x)] : NOT_FINITE;
  }
  function behind(x, most) {
    const share = 0.35 * Math.min(1, Math.abs(x) / (most || 1)) || 0;
    return `rgba(${x < 0 ? NEGATIVE : POSITIVE}, ${share.toFixed(3)})`;
  }

  // view/tiles.js
  var MARK = "#ff2d96";
  var HALO = "#ffffff";
  var packed = ([r, g, b]) => 255 << 24 | b << 16 | g << 8 | r;
  var Tiles = class {
    constructor({ count, height, width, columns, scale, gap = 2, label, onpick, chosen: chosen2, onenter }) {
      Object.assign(this, { count, height, width, columns, scale, gap, onpick, chosen: chosen2 });
      this.pitch = [height * scale + gap, width * scale + gap];
      const rows = Math.ceil(count / columns);
      this.canvas = element("canvas", {
        width: columns * this.pitch[1] + gap,
        height: rows * this.pitch[0] + gap,
        ...onpick ? { tabindex: 0, role: "application" } : { role: "img" },
        "aria-label": label
      });
      if (!onpick) return;
      this.canvas.addEventListener("click", (event) => this.pressed(event));
      this.canvas.addEventListener("keydown", (event) => this.key(event, onenter));
    }
    /** The left upper corner of a number. */
    corner(tile, y, x) {
      const [row, column] = [Math.floor(tile / this.columns), tile % this.columns];
      return [this.gap + column * this.pitch[1] + x * this.scale, this.gap + row * this.pitch[0] + y * this.scale];
    }
    /**
     * Draw all numbers; color(k): [red, green, blue] of number k. marks: {tile, rows, columns} to put a frame around.
     *
     * drawn: what the numbers are; where it is what it was before, only marks are drawn anew.
     */
    draw(color, marks = [], drawn = null) {
      const context = this.canvas.getContext("2d");
      if (!drawn || this.drawn !== drawn || this.dark !== isDark()) this.image = this.painted(context, color);
      Object.assign(this, { drawn, dark: isDark() });
      context.putImageData(this.image, 0, 0);
      const all = this.height * this.width === 1 && marks.length >= this.count && this.count > 1;
      if (all) this.stroke(context, [1, 1, this.canvas.width - 2, this.canvas.height - 2]);
      else for (const mark of marks) this.frame(context, mark);
    }
    painted(context, color) {
      const image = context.createImageData(this.canvas.width, this.canvas.height);
      const pixels = new Uint32Array(image.data.buffer);
      const area = this.height * this.width;
      pixels.fill(packed(lineColor()), 0);
      for (let k = 0; k < this.count * area; k++) {
        const ink = packed(color(k));
        const [left, top] = this.corner(Math.floor(k / area), Math.floor(k % area / this.width), k % this.width);
        for (let y = top; y < top + this.scale; y++) {
          pixels.fill(ink, y * image.width + left, y * image.width + left + this.scale);
        }
      }
      return image;
    }
    frame(context, { tile, rows, columns }) {
      const [left, top] = this.corner(tile, rows[0], columns[0]);
      const [right, bottom] = this.corner(tile, rows[1] + 1, columns[1] + 1);
      this.stroke(context, [left - 1, top - 1, right - left + 2, bottom - top + 2]);
    }
    stroke(context, around3) {
      for (const [color, width] of [
        [HALO, 3],
        [MARK, 1.5]
      ]) {
        context.strokeStyle = color;
        context.lineWidth = width;
        context.strokeRect(...around3);
      }
    }
    pressed(event) {
      const box2 = this.canvas.getBoundingClientRect();
      const x = (event.clientX - box2.left) * this.canvas.width / box2.width - this.gap;
      const y = (event.clientY - box2.top) * this.canvas.height / box2.height - this.gap;
      const [row, column] = [Math.floor(y / this.pitch[0]), Math.floor(x / this.pitch[1])];
      const within = [Math.floor(y % this.pitch[0] / this.scale), Math.floor(x % this.pitch[1] / this.scale)];
      const tile = row * this.columns + column;
      const hits = column < this.columns && tile >= 0 && tile < this.count && x >= 0 && y >= 0;
      if (hits && within[0] < this.height && within[1] < this.width) this.onpick(tile, ...within);
    }
    /** Arrows move by a pixel, Page Up and Down by a tile, Home and End to the first and last; Enter explains. */
    key(event, onenter) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const [tile, y, x] = this.chosen();
      const small = this.height * this.width === 1;
      const moves = {
        ArrowLeft: small ? [tile - 1, y, x] : [tile, y, x - 1],
        ArrowRight: small ? [tile + 1, y, x] : [tile, y, x + 1],
        ArrowUp: small ? [tile - this.columns, y, x] : [tile, y - 1, x],
        ArrowDown: small ? [tile + this.columns, y, x] : [tile, y + 1, x],
        PageUp: [tile - 1, y, x],
        PageDown: [tile + 1, y, x],
        Home: [0, y, x],
        End: [this.count - 1, y, x]
      };
      if (event.key === "Enter") onenter?.();
      else if (moves[event.key]) this.moveTo(...moves[event.key]);
      else return;
      event.preventDefault();
    }
    moveTo(tile, y, x) {
      const exists2 = [tile, y, x].every((n, k) => n >= 0 && n < [this.count, this.height, this.width][k]);
      if (exists2) this.onpick(tile, y, x);
    }
  };
  var HIGHEST = 480;
  var LARGEST = 35e4;
  function arrangement([count, height, width]) {
    const isVector = height * width === 1;
    const gap = isVector ? 1 : 2;
    const area = (scale2) => count * (height * scale2 + gap) * (width * scale2 + gap);
    let scale = isVector ? count > 256 ? 7 : 11 : Math.max(1, Math.min(11, Math.round(34 / Math.max(height, width))));
    while (scale > 1 && area(scale) > LARGEST) scale--;
    const rows = Math.max(1, Math.floor(HIGHEST / (height * scale + gap)));
    const columns = Math.max(1, Math.ceil(Math.sqrt(count / 2)), Math.ceil(count / rows));
    return { count, height, width, scale, gap, columns };
  }

  // steps/player.js
  var PAUSES = [
    ["slow", 1500],
    ["normal", 700],
    ["fast", 200]
  ];
  var OWN_KEYS = "input, select, canvas, pre, [role=group][tabindex]";
  var active = null;
  document.addEventListener("keydown", (event) => {
    if (!active?.element.isConnected || event.target.matches(OWN_KEYS)) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { at, count } = active;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1 }[event.key];
    if (to === void 0) return;
    event.preventDefault();
    active.go(to);
  });
  var Player = class {
    /**
     * count: of the steps; onstep(k): called with the number of the step to show; label: what is stepped through.
     * describe(k): a few words on step k, for those who hear the slider.
     */
    constructor({ count, onstep, label, describe = (k) => `step ${k + 1} of ${this.count}` }) {
      Object.assign(this, { count, onstep, describe, at: 0, timer: null });
      const button = (text, onclick) => element("button", { type: "button", onclick }, text);
      this.back = button("one step back", () => this.go(this.at - 1));
      this.play = button("play", () => this.timer ? this.stop() : this.start());
      this.next = button("one step on", () => this.go(this.at + 1));
      const oninput = () => this.go(Number(this.slider.value));
      this.slider = element("input", {
        type: "range",
        min: 0,
        max: Math.max(0, count - 1),
        "aria-label": label,
        oninput
      });
      this.where = element("span", { class: "small" });
      const speeds = PAUSES.map(
        ([name, pause]) => element("option", { value: pause, selected: name === "normal" }, name)
      );
      const onchange = () => this.timer && this.start();
      this.speed = element("select", { "aria-label": "speed of play", onchange }, ...speeds);
      this.element = element(
        "p",
        { class: "player" },
        ...[this.back, this.play, this.next, this.slider, this.speed, this.where]
      );
    }
    /** Show a step; beyond the ends there is none. */
    go(k) {
      if (k < 0 || k >= this.count) return this.stop();
      this.at = k;
      this.onstep(k);
      this.update();
    }
    start() {
      clearInterval(this.timer);
      if (this.at === this.count - 1) this.go(0);
      this.timer = setInterval(() => this.go(this.at + 1), Number(this.speed.value));
      this.update();
    }
    stop() {
      clearInterval(this.timer);
      this.timer = null;
      if (this.element.isConnected) this.update();
    }
    /** So many steps from now on; the one that is shown stays, as far as it exists. */
    resize(count) {
      this.count = count;
      this.slider.max = Math.max(0, count - 1);
      this.at = Math.min(this.at, Math.max(0, count - 1));
      this.update();
    }
    update() {
      active = this;
      this.play.textContent = this.timer ? "pause" : "play";
      this.slider.value = this.at;
      this.slider.setAttribute("aria-valuetext", this.describe(this.at));
      this.where.textContent = `step ${this.at + 1} of ${this.count}`;
      this.back.setAttribute("aria-disabled", this.at === 0);
      this.next.setAttribute("aria-disabled", this.at === this.count - 1);
    }
  };

  // steps/source.js
  var Sources = class {
    constructor(sources) {
      this.parts = sources.map(({ file, lines, unnumbered }) => {
        const rows = lines.map(([number, text]) => {
          const row = element(
            "span",
            { class: "line" },
            unnumbered ? `${text}
` : `${String(number).padStart(4)}  ${text}
`
          );
          return [number, row];
        });
        const code2 = element(
          "pre",
          { tabindex: 0, role: "group", "aria-label": `source of ${file}` },
          ...rows.map(([, row]) => row)
        );
        return { rows, code: code2, element: element("section", {}, element("h3", {}, file), code2) };
      });
      this.element = element("div", { class: "sources" }, ...this.parts.map((part) => part.element));
    }
    update(lit) {
      this.parts.forEach(({ rows, code: code2, element: part }, k) => {
        const wanted = lit[k];
        part.hidden = !wanted;
        if (!wanted) return;
        let first = null;
        for (const [number, row] of rows) {
          row.className = `line ${wanted[number] ?? ""}`;
          if (wanted[number] && !first) first = row;
        }
        if (!first) return;
        const [top, height] = [first.offsetTop - code2.offsetTop, code2.clientHeight];
        if (top < code2.scrollTop || top > code2.scrollTop + height - 20) code2.scrollTop = Math.max(0, top - height / 3);
      });
    }
  };

  // steps/block.js
  var [LOAD, STORE, BARRIER, OUTSIDE_LOAD, OUTSIDE_STORE] = [0, 1, 2, 3, 4];
  var FIELDS = ["step", "thread", "kind", "array", "index", "file", "line"];
  var [READ, WRITTEN, WAITS, IDLE, GONE, WRONG] = [
    [0, 114, 178],
    [213, 94, 0],
    [120, 94, 150],
    [176, 176, 186],
    [232, 232, 238],
    [204, 0, 60]
  ];
  var LEGEND = [
    ["R", "reads global memory", READ],
    ["W", "writes global memory", WRITTEN],
    ["r", "reads shared memory", READ],
    ["w", "writes shared memory", WRITTEN],
    ["B", "waits at a barrier", WAITS],
    ["·", "waits for threads at another line", IDLE],
    ["✓", "has left the kernel", GONE],
    ["r!", "takes part in a race", WRONG],
    ["!", "is out of bounds: nothing is done", WRONG]
  ];
  var ORDER = "What is read depends on who comes first; the emulator runs the threads in the order of their numbers.";
  var ROOM = 640;
  var css = (color) => `rgb(${color.join()})`;
  function decodedBlock(block) {
    const numbers = new Int32Array(bytesOf(block.numbers).buffer);
    const values = new Float64Array(bytesOf(block.values).buffer);
    const events = Array.from(values, (value, k) => ({
      value,
      ...Object.fromEntries(FIELDS.map((name, field2) => [name, numbers[field2 * values.length + k]]))
    }));
    const byStep = Array.from({ length: block.steps }, () => []);
    events.forEach((event, k) => byStep[event.step].push(k));
    for (const ks of byStep) ks.sort((a, b) => events[a].thread - events[b].thread || a - b);
    const names = block.names.map((name) => name.before ? { ...name, before: name.before.map(Number) } : name);
    return { ...block, names, events, byStep };
  }
  var Cells = class {
    constructor({ count, columns, width, height, label, onpick, chosen: chosen2 }) {
      Object.assign(this, { count, width, height });
      this.columns = columns;
      const scale = { width, height };
      this.rows = Math.ceil(count / columns);
      const options = { class: "cells", width: columns * width + 1, height: this.rows * height + 1, "aria-label": label };
      const picking = onpick ? { tabindex: 0, role: "application" } : { role: "img" };
      this.canvas = element("canvas", { ...options, ...picking });
      if (!onpick) return;
      const tiles = { count, height: 1, width: 1, columns, chosen: () => [chosen2(), 0, 0], onpick };
      this.canvas.addEventListener("keydown", (event) => Tiles.prototype.key.call({ ...tiles, moveTo }, event));
      this.canvas.addEventListener("click", (event) => {
        const box2 = this.canvas.getBoundingClientRect();
        const column = Math.floor((event.clientX - box2.left) * this.canvas.width / box2.width / scale.width);
        const row = Math.floor((event.clientY - box2.top) * this.canvas.height / box2.height / scale.height);
        if (column >= 0 && column < columns && row * columns + column < count) onpick(row * columns + column);
      });
      function moveTo(k) {
        if (k >= 0 && k < count) onpick(k);
      }
    }
    /** paint(k): {fill, text, ink, frame} of a cell. */
    draw(paint) {
      const context = this.canvas.getContext("2d");
      const dark = isDark();
      context.fillStyle = dark ? "#141418" : "#ffffff";
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      context.font = `${Math.min(12, this.height - 4)}px ui-monospace, "DejaVu Sans Mono", monospace`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      const frames = [];
      for (let k = 0; k < this.count; k++) {
        const [x, y] = [k % this.columns * this.width, Math.floor(k / this.columns) * this.height];
        const { fill: fill2, text, ink, frame } = paint(k);
        context.fillStyle = fill2 ?? (dark ? "#26262e" : "#f0f0f4");
        context.fillRect(x + 1, y + 1, this.width - 1, this.height - 1);
        if (text) {
          context.fillStyle = ink ?? (dark ? "#ececf0" : "#1c1c20");
          context.fillText(text, x + this.width / 2, y + this.height / 2 + 1, this.width - 2);
        }
        if (frame) frames.push([frame, x, y]);
      }
      context.lineWidth = 3;
      for (const [frame, x, y] of frames) {
        context.strokeStyle = frame;
        context.strokeRect(x + 1.5, y + 1.5, this.width - 2, this.height - 2);
      }
    }
  };
  function layoutOf({ size: size2, columns }) {
    const across = columns || Math.min(size2, size2 > 64 ? 32 : 16);
    const written2 = size2 <= 256 && across <= 32;
    const width = written2 ? Math.max(20, Math.min(46, Math.floor(ROOM / across))) : Math.max(2, Math.min(12, Math.floor(ROOM / across)));
    return { count: size2, columns: across, width, height: written2 ? 20 : width, written: written2 };
  }
  var BlockView = class {
    /** block: of decodedBlock; onstep(k): called when another step is shown. */
    constructor(block, onstep = () => {
    }) {
      Object.assign(this, { block, onstep, thread: 0 });
      this.count = block.block.reduce((product2, n) => product2 * n, 1);
      this.own = Array.from({ length: this.count }, () => []);
      block.events.forEach(({ thread }, n) => this.own[thread].push(n));
      this.raced = new Set(block.raced);
      this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
      const describe = (k) => `step ${k + 1}: ${this.words(k)}`;
      this.player = new Player({ count: block.steps, label: "step of the block", describe, onstep: (k) => this.show(k) });
      this.threads = this.threadCells();
      this.about = element("div");
      this.arrays = block.names.flatMap((name, k) => name.drawn && name.size ? [this.arrayCells(name, k)] : []);
      this.sources = new Sources(block.sources);
      const { grid: grid3, block: size2, number, kernel } = block;
      const title = `${kernel}: grid ${extent(grid3)}, block ${number}, ${extent(size2)} threads`;
      this.element = element(
        "div",
        { class: "panel block" },
        element("p", {}, title),
        block.stopped ? element("p", {}, block.stopped) : null,
        this.player.element,
        this.troubles(),
        element("section", { "aria-label": "the step" }, this.heading, this.about),
        element(
          "div",
          { class: "figures" },
          element(
            "section",
            {},
            element("h3", {}, "Threads"),
            this.scrolled("the threads", this.threads.canvas),
            this.legend()
          ),
          element("section", {}, element("h3", {}, "Shared memory"), ...this.sections(true)),
          element("section", {}, element("h3", {}, "Global memory"), ...this.sections(false))
        ),
        this.sources.element
      );
    }
    scrolled = (label, ...content) => element("div", { class: "scrolls tall", tabindex: 0, role: "group", "aria-label": label }, ...content);
    legend() {
      const item = ([letter, text, color]) => {
        const sign = element("span", { class: "key" }, letter);
        sign.style.borderColor = css(color);
        return element("li", {}, sign, ` ${text}`);
      };
      return element("ul", { class: "legend small" }, ...LEGEND.map(item));
    }
    sections(shared) {
      const wanted = this.arrays.filter(({ name }) => name.shared === shared);
      if (!wanted.length) return [element("p", { class: "small" }, "none is touched")];
      return wanted.map(
        ({ name, cells }) => element("figure", {}, element("figcaption", {}, sizeText(name)), this.scrolled(name.name, cells.canvas))
      );
    }
    threadCells() {
      const [x, y, z] = this.block.block;
      const columns = y * z > 1 ? x : Math.min(x, 32);
      const side = Math.max(12, Math.min(24, Math.floor(ROOM / columns)));
      return new Cells({
        ...{ count: this.count, columns, width: side, height: side },
        label: "the threads: arrow keys choose one",
        chosen: () => this.thread,
        onpick: (k) => {
          this.thread = k;
          this.show(this.player.at);
        }
      });
    }
    arrayCells(name, k) {
      const layout = layoutOf(name);
      const label = `${name.shared ? "shared" : "global"} array ${name.name}`;
      return { name, k, layout, cells: new Cells({ ...layout, label }) };
    }
    /** Races first, each a button that leads to it; then what else the checked build has found. */
    troubles() {
      const { races, raceCount, problems, events } = this.block;
      const others2 = problems.filter((text) => !text.includes(": race: "));
      if (!raceCount && !others2.length)
        return element("p", {}, "No race, and nothing else that the checked build complains of.");
      const button = ({ text, events: [first, second] }) => {
        const onclick = () => {
          this.thread = events[second].thread;
          this.player.go(Math.max(events[first].step, events[second].step));
        };
        return element("li", {}, element("button", { type: "button", class: "race", onclick }, text));
      };
      const many = raceCount > races.length ? `, of which these are the first ${races.length}` : "";
      const title = raceCount ? `${raceCount} race${raceCount > 1 ? "s" : ""}${many}` : "No race";
      return element(
        "details",
        { class: "troubles", open: true },
        element("summary", {}, `${title}; ${others2.length ? "and other problems" : "no other problem"}`),
        element("ol", { class: "scrolls" }, ...races.map(button)),
        element("ul", {}, ...others2.map((text) => element("li", {}, text)))
      );
    }
    /** "thread 5", or "thread (5, 0)" of a block of several dimensions. */
    threadText(thread) {
      const [x, y, z] = this.block.block;
      const place2 = [thread % x, Math.floor(thread / x) % y, Math.floor(thread / (x * y))];
      return y * z === 1 ? `thread ${thread}` : `thread ${thread} (${place2.slice(0, z > 1 ? 3 : 2).join(", ")})`;
    }
    cellText({ array, index }) {
      const { name, columns } = this.block.names[array];
      return columns ? `${name}[${Math.floor(index / columns)}][${index % columns}]` : `${name}[${index}]`;
    }
    doing(event) {
      const { kind, line } = event;
      const at = `line ${line}`;
      if (kind === BARRIER) return `waits at the barrier, ${at}`;
      if (kind === OUTSIDE_LOAD) return `would read ${this.cellText(event)}, out of bounds, ${at}`;
      if (kind === OUTSIDE_STORE) return `would write ${this.cellText(event)}, out of bounds, ${at}`;
      const value = format(event.value, 7);
      return kind === LOAD ? `reads ${this.cellText(event)}: ${value}, ${at}` : `writes ${value} to ${this.cellText(event)}, ${at}`;
    }
    /** What the block does in a step, in some words. */
    words(k) {
      const { events, byStep, names } = this.block;
      const groups = Map.groupBy(byStep[k], (n) => `${events[n].kind} ${events[n].array} ${events[n].line}`);
      const texts = [...groups.values()].map((members) => {
        const { kind, array, line } = events[members[0]];
        const threads = new Set(members.map((n) => events[n].thread)).size;
        const one = threads === 1;
        const name = names[array].name;
        const verb = {
          [LOAD]: one ? `reads ${name}` : `read ${name}`,
          [STORE]: one ? `writes ${name}` : `write ${name}`,
          [BARRIER]: one ? "waits at the barrier" : "wait at the barrier",
          [OUTSIDE_LOAD]: `would read beyond ${name}`,
          [OUTSIDE_STORE]: `would write beyond ${name}`
        }[kind];
        return `${threads} thread${one ? "" : "s"} ${verb}, line ${line}`;
      });
      const waiting = this.statesAt(k).filter(({ letter }) => letter === "·").length;
      const diverged = waiting ? [`${waiting} wait${waiting === 1 ? "s" : ""}: they are at another line`] : [];
      return [...texts, ...diverged].join("; ");
    }
    /** Of every thread its event in a step, its letter and its colour. */
    statesAt(k) {
      const { events, byStep, names } = this.block;
      const states = this.own.map((numbers) => {
        const next = numbers.find((n) => events[n].step > k);
        return next === void 0 ? { letter: "✓", color: GONE } : { letter: "·", color: IDLE, next };
      });
      for (const n of byStep[k]) {
        const { thread, kind, array } = events[n];
        const letter = { [LOAD]: "R", [STORE]: "W", [BARRIER]: "B" }[kind] ?? "!";
        const shown = names[array].shared ? letter.toLowerCase() : letter;
        const color = { R: READ, W: WRITTEN, B: WAITS }[letter] ?? WRONG;
        const raced = this.raced.has(n);
        states[thread] = { n, letter: raced ? `${shown}!` : shown, color: raced ? WRONG : color };
      }
      return states;
    }
    /** The values of all arrays after a step; undefined where nothing was written. */
    valuesAt(k) {
      const { events, byStep, names } = this.block;
      const values = names.map(({ before, drawn, size: size2 }) => before ? [...before] : new Array(drawn ? size2 : 0));
      for (let step = 0; step <= k; step++) {
        for (const n of byStep[step]) {
          const { kind, array, index, value } = events[n];
          if (kind === STORE && names[array].drawn) values[array][index] = value;
        }
      }
      return values;
    }
    show(k) {
      const { block } = this;
      const states = this.statesAt(k);
      this.heading.setAttribute("aria-live", this.player.timer ? "off" : "polite");
      this.heading.textContent = this.words(k)[0].toUpperCase() + this.words(k).slice(1);
      this.threads.draw((thread) => {
        const { letter, color } = states[thread];
        const ink = color === GONE || color === IDLE ? "#1c1c20" : "#ffffff";
        return { fill: css(color), text: letter, ink, frame: thread === this.thread ? "#ff2d96" : null };
      });
      const values = this.valuesAt(k);
      const now = block.byStep[k].map((n) => ({ ...block.events[n], n }));
      for (const { k: array, layout, cells } of this.arrays) this.drawArray(array, layout, cells, values[array], now);
      this.fillAbout(k, states);
      this.sources.update(this.litAt(now, states));
      this.onstep(k);
    }
    drawArray(array, layout, cells, values, now) {
      const touched = /* @__PURE__ */ new Map();
      for (const event of now) {
        if (event.array !== array || event.kind === BARRIER) continue;
        const before = touched.get(event.index);
        touched.set(
          event.index,
          this.raced.has(event.n) ? WRONG : event.kind === STORE || before === WRITTEN ? WRITTEN : before ?? READ
        );
      }
      const most = Math.max(0, ...values.filter((x) => isFinite(x)).map(Math.abs)) || 1;
      cells.draw((index) => {
        const value = values[index];
        const color = touched.get(index);
        const text = layout.written ? value === void 0 ? "?" : format(value, 3) : "";
        if (color)
          return {
            fill: css(color),
            text,
            ink: "#ffffff",
            frame: this.marksChosen(array, index, now) ? "#ff2d96" : null
          };
        if (layout.written || value === void 0) return { text };
        const share = Math.min(1, Math.abs(value) / most);
        const grey = isDark() ? 60 + 150 * share : 240 - 170 * share;
        return { fill: css([grey, grey, grey]) };
      });
    }
    marksChosen = (array, index, now) => now.some((event) => event.thread === this.thread && event.array === array && event.index === index);
    fillAbout(k, states) {
      const { events } = this.block;
      const { n, color } = states[this.thread];
      const name = this.threadText(this.thread);
      const does = n !== void 0 ? this.doing(events[n]) : color === GONE ? "has left the kernel" : "waits for threads at another line";
      const race = this.block.races.find((r) => r.events.includes(n));
      const own = this.own[this.thread].map((number) => events[number]);
      const rows = own.map((event) => [`${event.step + 1}${event.step === k ? ", now" : ""}`, this.doing(event)]);
      const listed = element("details", { open: this.isOpen }, element("summary", {}, `all that ${name} does`));
      listed.append(table(["step", "what"], rows, `all that ${name} does`));
      listed.addEventListener("toggle", () => this.isOpen = listed.open);
      refill(this.about, [
        element("p", {}, `${name[0].toUpperCase()}${name.slice(1)} ${does}.`),
        race ? element("p", { class: "raced" }, `Race: ${race.text}. ${ORDER}`) : "",
        listed
      ]);
    }
    /** The lines at which threads are, those at which others wait for them, and of a race both lines. */
    litAt(now, states) {
      const { names, sources, races, events } = this.block;
      const wanted = sources.map(() => null);
      const light = ({ file, line }, style) => {
        const place2 = sources.findIndex((source) => source.file === names[file].file);
        if (place2 < 0) return;
        wanted[place2] = { ...wanted[place2], [line]: wanted[place2]?.[line] === "race" ? "race" : style };
      };
      for (const { next } of states) if (next !== void 0) light(events[next], "later");
      for (const event of now) light(event, "lit");
      const shown = new Set(now.map(({ n }) => n));
      for (const race of races) {
        if (race.events.some((n) => shown.has(n))) race.events.forEach((n) => light(events[n], "race"));
      }
      return wanted.map((lines, place2) => lines ?? (place2 === 0 ? {} : null));
    }
  };
  var extent = (numbers) => numbers.slice(0, 1 + numbers.findLastIndex((n, axis) => n > 1 || axis === 0)).join(" × ");
  var sizeText = ({ name, size: size2, columns }) => columns ? `${name}: ${Math.floor(size2 / columns)} × ${columns}` : `${name}: ${size2}`;

  // steps/arrays.js
  var NOT_FINITE2 = 255;
  var MOST = 64;
  var [WIDE, HIGH] = [400, 200];
  var PICTURE = 48 * 48;
  function decodedArray(array) {
    if (array.numbers) return { ...array, numbers: array.numbers.map(Number) };
    const [low, high, mean2, std] = [array.low, array.high, array.mean, array.std].map(Number);
    const values = Float64Array.from(
      bytesOf(array.pixels),
      (q) => q === NOT_FINITE2 ? NaN : low + (high - low) * q / (NOT_FINITE2 - 1)
    );
    return { ...array, low, high, mean: mean2, std, values };
  }
  function arrayOf(numbers, shape) {
    if (numbers.length <= MOST) return { shape, numbers: [...numbers] };
    const [height, width] = shape.length > 1 ? shape.slice(-2) : folded(numbers.length);
    const count = Math.max(
      1,
      Math.min(Math.floor(numbers.length / (height * width)), Math.floor(PICTURE / (height * width)))
    );
    const finite = numbers.filter(isFinite);
    const { smallest: low, largest: high, mean: mean2, std } = summaryOf2(finite.length ? finite : [0]);
    const step = Math.max(1, Math.ceil(Math.sqrt(height * width / PICTURE)));
    const tiles = [count, Math.ceil(height / step), Math.ceil(width / step)];
    const values = Float64Array.from({ length: tiles[0] * tiles[1] * tiles[2] }, (_, k) => {
      const [y, x] = [Math.floor(k / tiles[2]) % tiles[1], k % tiles[2]];
      return numbers[(Math.floor(k / (tiles[1] * tiles[2])) * height + y * step) * width + x * step];
    });
    return { shape, low, high, mean: mean2, std, tiles, step, values };
  }
  function folded(size2) {
    const width = Math.min(48, Math.ceil(Math.sqrt(size2)));
    return [Math.floor(size2 / width), width];
  }
  var shapeOf = ({ shape }) => shape.length ? `(${shape.join(", ")}${shape.length === 1 ? "," : ""})` : "a number";
  var written = (x, allDigits) => allDigits ? String(x).replaceAll("-", "−") : format(x);
  function arrayFigure(array, caption, { signed, allDigits }) {
    const content = array.numbers ? numbersOf(array, caption, allDigits) : pictureOf(array, caption, signed);
    return element("figure", { class: "array" }, element("figcaption", {}, caption), ...content);
  }
  function numbersOf({ shape, numbers }, caption, allDigits) {
    const width = shape.at(-1) ?? 1;
    const height = shape.at(-2) ?? 1;
    const most = Math.max(...numbers.map(Math.abs).filter(isFinite), 0);
    const cell = (x) => {
      const made = element("td", { class: "number" }, written(x, allDigits));
      made.style.backgroundColor = behind(x, most);
      return made;
    };
    const tables = [];
    for (let first = 0; first < numbers.length; first += width * height) {
      const rows = Array.from({ length: height }, (_, y) => {
        const start = first + y * width;
        return element("tr", {}, ...Array.from(numbers.slice(start, start + width), cell));
      });
      tables.push(element("table", {}, element("tbody", {}, ...rows)));
    }
    const attributes = { class: "scrolls grid", tabindex: 0, role: "group", "aria-label": `numbers: ${caption}` };
    const empty = numbers.length ? [] : ["no elements"];
    return [element("div", attributes, ...tables, ...empty), element("p", { class: "small" }, shapeOf({ shape }))];
  }
  function pictureOf(array, caption, signed) {
    const [count, height, width] = array.tiles;
    const columns = Math.max(1, Math.min(count, Math.round(Math.sqrt(count * height / width))));
    const rows = Math.ceil(count / columns);
    const scale = Math.max(1, Math.min(12, Math.floor(Math.min(WIDE / (columns * width), HIGH / (rows * height)))));
    const tiles = new Tiles({
      count,
      height,
      width,
      columns,
      scale,
      gap: count > 1 ? 1 : 0,
      label: `picture: ${caption}`
    });
    const color = (signed ? twoColors : greys)([array.low, array.high]);
    tiles.draw((k) => color(array.values[k]));
    const kept = array.tiles.reduce((product2, n) => product2 * n, 1);
    const whole = array.shape.reduce((product2, n) => product2 * n, 1);
    const part = kept < whole ? `; the picture has ${kept} of ${whole} numbers` : "";
    const facts = ["low", "high", "mean", "std"].map((name) => `${name} ${format(array[name])}`).join(", ");
    return [
      element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption }, tiles.canvas),
      element("p", { class: "small" }, `${shapeOf(array)}: ${facts}${part}`)
    ];
  }

  // steps/graph.js
  var [WIDTH, HEIGHT, ACROSS, DOWN] = [124, 46, 156, 58];
  function columnsOf(nodes) {
    const column = nodes.map(() => 0);
    const order = nodes.map((_, n) => n).filter((n) => nodes[n].inputs.length);
    for (let changed = true; changed; ) {
      changed = false;
      for (const n of order) {
        const least = 1 + Math.max(...nodes[n].inputs.map((input) => column[input]));
        if (column[n] < least) [column[n], changed] = [least, true];
      }
    }
    nodes.forEach(({ inputs }, n) => {
      const users = order.filter((user) => nodes[user].inputs.includes(n));
      if (!inputs.length && users.length) column[n] = Math.min(...users.map((user) => column[user])) - 1;
    });
    return column;
  }
  function placesOf(nodes) {
    const column = columnsOf(nodes);
    const row = nodes.map(() => 0);
    const last = Math.max(0, ...column);
    for (let c = 0; c <= last; c++) {
      const members = nodes.map((_, n) => n).filter((n) => column[n] === c);
      const wish = (n) => nodes[n].inputs.length ? Math.min(...nodes[n].inputs.map((input) => row[input])) : Infinity;
      members.sort((a, b) => wish(a) - wish(b) || a - b);
      let free = 0;
      for (const n of members) {
        row[n] = isFinite(wish(n)) ? Math.max(free, wish(n)) : free;
        free = row[n] + 1;
      }
    }
    return nodes.map((_, n) => [column[n], row[n]]);
  }
  var Graph = class {
    /** nodes: {kind, title, about, inputs}; onpick(n): called with the node that is pressed. */
    constructor(nodes, onpick) {
      Object.assign(this, { nodes, places: placesOf(nodes) });
      const [columns, rows] = [0, 1].map((axis) => 1 + Math.max(0, ...this.places.map((place2) => place2[axis])));
      this.buttons = nodes.map((node, n) => this.button(node, n, onpick));
      this.edges = [];
      nodes.forEach(({ inputs }, n) => inputs.forEach((input) => this.edges.push(this.edge(input, n))));
      const inner = element("div", { class: "graph" }, ...this.edges.map(({ line }) => line), ...this.buttons);
      inner.style.width = `${columns * ACROSS}px`;
      inner.style.height = `${rows * DOWN}px`;
      this.element = element("div", { class: "scrolls tall", role: "group", "aria-label": "the graph" }, inner);
    }
    button({ kind, title }, n, onpick) {
      const [column, row] = this.places[n];
      const parts = [element("span", {}, title), element("span", { class: "small" })];
      const made = element("button", { type: "button", class: `node ${kind}`, onclick: () => onpick(n) }, ...parts);
      made.style.left = `${column * ACROSS + 4}px`;
      made.style.top = `${row * DOWN + 4}px`;
      return made;
    }
    write(n, number) {
      const { kind, title, about } = this.nodes[n];
      const [button, text] = [this.buttons[n], number ?? about];
      button.lastChild.textContent = text.replace("gradient", "∇");
      button.setAttribute("aria-label", `${kind} ${title}${text ? `, ${text}` : ""}`);
      button.title = text;
    }
    edge(from, to) {
      const [[a, b], [c, d]] = [this.places[from], this.places[to]];
      const [left, top] = [a * ACROSS + 4 + WIDTH, b * DOWN + 4 + HEIGHT / 2];
      const [right, bottom] = [c * ACROSS + 4, d * DOWN + 4 + HEIGHT / 2];
      const line = element("div", { class: "edge" });
      line.style.left = `${left}px`;
      line.style.top = `${top}px`;
      line.style.width = `${Math.hypot(right - left, bottom - top)}px`;
      line.style.transform = `rotate(${Math.atan2(bottom - top, right - left)}rad)`;
      return { from, to, line };
    }
    /**
     * states: the class of each node; lit(from, to): the class of an edge; current: the node to bring into view.
     *
     * numbers: a text for each node in the place of what it is, or null.
     */
    update(states, lit, current, numbers) {
      this.buttons.forEach((button, n) => {
        for (const name of ["computed", "reached"]) button.classList.toggle(name, states[n] === name);
        button.setAttribute("aria-pressed", n === current);
        this.write(n, numbers[n]);
      });
      for (const { from, to, line } of this.edges) line.className = `edge ${lit(from, to)}`;
      const { offsetLeft, offsetTop } = this.buttons[current];
      const box2 = this.element;
      if (offsetLeft < box2.scrollLeft || offsetLeft + WIDTH > box2.scrollLeft + box2.clientWidth)
        box2.scrollLeft = offsetLeft - box2.clientWidth / 3;
      if (offsetTop < box2.scrollTop || offsetTop + HEIGHT > box2.scrollTop + box2.clientHeight)
        box2.scrollTop = offsetTop - 20;
    }
  };

  // steps/trace.js
  var nameOf2 = ({ kind, name, variable }) => variable || (kind === "operation" ? name : kind);
  var TITLES = {
    forward: (node) => `Forwards: ${node.name}${node.variable ? ` makes ${node.variable}` : ""}`,
    loss: () => "Forwards: the loss",
    backward: (node) => `Backwards: ${node.name}, from the gradient of its result to those of its inputs`,
    sum: (node) => `Backwards: one more gradient arrives at ${nameOf2(node)}, and is added`,
    leaf: (node) => `Backwards: a gradient reaches the leaf ${nameOf2(node)}`,
    update: (node) => `Update: the optimiser changes ${nameOf2(node)}`
  };
  var SIGNED = /gradient|^gy|so far|arriving|sum|\.grad|momentum|velocity/;
  var BACKWARD = ["backward", "sum", "leaf"];
  var EDGES = ["forward", "backward"];
  var FIRST = "the first to arrive is kept as it is; .grad was empty";
  var decodedTrace = (trace) => ({ ...trace, arrays: trace.arrays.map(decodedArray) });
  var TraceView = class {
    /** trace: {nodes, steps, arrays, sources, stopped}; onstep(k): called when another step is shown. */
    constructor(trace, onstep = () => {
    }) {
      Object.assign(this, { trace, onstep });
      this.allDigits = false;
      this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
      this.about = element("div");
      this.figures = element("div", { class: "figures arrays" });
      this.graph = new Graph(trace.nodes.map(drawnAs), (n) => this.player.go(this.stepOf(n)));
      this.sources = new Sources(trace.sources ?? []);
      const describe = (k) => `step ${k + 1}: ${this.titleOf(k)}`;
      const label = "step of the trace";
      this.player = new Player({ count: trace.steps.length, onstep: (k) => this.show(k), label, describe });
      const onclick = () => {
        this.allDigits = !this.allDigits;
        this.show(this.player.at);
      };
      this.digits = element("button", { type: "button", onclick }, "all digits");
      this.player.element.append(this.digits);
      const stopped = trace.stopped ? element("p", {}, trace.stopped) : null;
      const panel = element(
        "section",
        { class: "panel", "aria-label": "the step" },
        this.heading,
        this.about,
        this.figures,
        this.sources.element
      );
      this.element = element(
        "div",
        { class: "trace" },
        element("div", { class: "panel" }, stopped, this.player.element, this.graph.element),
        panel
      );
    }
    titleOf = (k) => TITLES[this.trace.steps[k].phase](this.trace.nodes[this.trace.steps[k].node]);
    /** The step that a press on a node leads to: its next one behind that which is shown, or else its first. */
    stepOf(n) {
      const { steps } = this.trace;
      const behind2 = steps.findIndex((step, k) => step.node === n && k > this.player.at);
      const first = steps.findIndex((step) => step.node === n || step.values.some(([, , node]) => node === n));
      return behind2 >= 0 ? behind2 : Math.max(0, first);
    }
    show(k) {
      const { nodes, steps, arrays } = this.trace;
      const step = steps[k];
      const node = nodes[step.node];
      this.heading.setAttribute("aria-live", this.player.timer ? "off" : "polite");
      this.heading.textContent = this.titleOf(k);
      this.digits.setAttribute("aria-pressed", this.allDigits);
      const formulas = step.formulas ?? (["forward", "backward", "loss"].includes(step.phase) ? node.formulas : "");
      const words = [
        node.module && `in ${node.module}`,
        step.phase === "leaf" && step.values.length === 2 && FIRST,
        step.about
      ];
      refill(this.about, [
        ...words.filter(Boolean).map((text) => element("p", {}, text)),
        node.sentence && step.phase === "forward" ? element("p", {}, node.sentence) : "",
        formulas ? element("pre", { class: "formula" }, formulas) : ""
      ]);
      const scroll = this.figures.scrollLeft;
      refill(
        this.figures,
        step.values.flatMap(([label, array, n], place2) => {
          const options = { signed: SIGNED.test(label), allDigits: this.allDigits };
          const figure3 = arrayFigure(arrays[array], this.captionOf(step, label, nodes[n]), options);
          const sign = signBefore(step, place2);
          return sign ? [element("span", { class: "sign" }, sign), figure3] : [figure3];
        })
      );
      this.figures.scrollLeft = scroll;
      this.sources.update(this.litOf(step));
      this.graph.update(...this.statesAt(k), step.node, this.numbersAt(k));
      this.onstep(k);
    }
    captionOf({ phase }, label, node) {
      const name = nameOf2(node);
      if (label === "gy") return `gy, the gradient of ${name === node.name ? `${name}'s result` : name}`;
      if (label === "y") return name === node.name ? "y, the result" : `y, the result: ${name}`;
      if (label.startsWith("gradient of input")) return `${label}: ${name}`;
      if (label.startsWith("input")) return `${label}: ${name}`;
      return phase === "forward" ? label : `${label}: ${name}`;
    }
    litOf({ lit = [] }) {
      const wanted = (this.trace.sources ?? []).map(() => null);
      for (const [source, lines] of lit) {
        wanted[source] = { ...wanted[source], ...Object.fromEntries(lines.map((line) => [line, "lit"])) };
      }
      return wanted;
    }
    /** Of every node that is one number, a text with it and with its gradient, as far as a step knows them. */
    numbersAt(k) {
      const { nodes, steps, arrays } = this.trace;
      const known = nodes.map(() => ({}));
      for (const { phase, values } of steps.slice(0, k + 1)) {
        for (const [label, array, n] of values) {
          const number = arrays[array].numbers?.length === 1 ? arrays[array].numbers[0] : void 0;
          if (label.startsWith("gradient of input"))
            known[n].gradient ??= number;
          else if (BACKWARD.includes(phase)) known[n].gradient = number;
          else if (phase === "forward" || label.endsWith("after")) known[n].value = number;
        }
      }
      return known.map(({ value, gradient }, n) => {
        if (value === void 0 && gradient === void 0) return null;
        const parts = [value, gradient].map((x) => x === void 0 ? "" : format(x));
        const name = nodes[n].kind === "operation" && nodes[n].variable ? `${nodes[n].variable} ` : "";
        return `${name}${parts[0]}${parts[1] && `${parts[0] && ", "}gradient ${parts[1]}`}`;
      });
    }
    /** What has been computed and reached up to a step, and which edges it uses. */
    statesAt(k) {
      const { nodes, steps } = this.trace;
      const states = nodes.map(({ kind }) => kind === "operation" ? "" : "computed");
      for (const { phase: phase2, node: node2, values: values2 } of steps.slice(0, k + 1)) {
        if (phase2 === "forward") states[node2] = "computed";
        if (phase2 === "update") states[node2] = "computed";
        if (BACKWARD.includes(phase2)) for (const [, , n] of values2) states[n] = "reached";
      }
      const { phase, node, values } = steps[k];
      const handed = new Set(values.map(([, , n]) => n));
      const lit = (from, to) => to === node && EDGES.includes(phase) && handed.has(from) ? phase : "";
      return [states, lit];
    }
  };
  var drawnAs = (node) => ({
    kind: node.kind,
    title: node.kind === "operation" ? node.name : nameOf2(node),
    about: [node.kind === "operation" ? node.variable : "", `(${node.shape.join(", ")})`].filter(Boolean).join(" "),
    inputs: node.inputs
  });
  function signBefore({ phase, values }, place2) {
    if (!["sum", "leaf"].includes(phase) || place2 === 0) return "";
    if (place2 === values.length - 1) return "=";
    return "+";
  }

  // steps/pages.js
  var HELP = "Step: arrow keys left and right, Home and End; the slider leads to any step.";
  function remembered(name) {
    const found = new RegExp(`[#;]${name}=(\\d+)`).exec(location.hash);
    return found ? Number(found[1]) : 0;
  }
  function framed(place2, title, view) {
    const header = element("header", {}, element("h1", {}, title), element("p", { class: "small" }, HELP));
    place2.append(header, view.element);
    const go = () => view.player.go(Math.min(remembered("step"), view.player.count - 1));
    addEventListener("hashchange", go);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view.player.go(view.player.at));
    go();
  }
  var remember = (k) => {
    if (location.protocol !== "about:") history.replaceState(null, "", `#step=${k}`);
  };
  function tracePage(place2, { title, trace }) {
    const view = new TraceView(decodedTrace(trace), remember);
    framed(place2, title, view);
    globalThis.steps = view;
  }
  function blockPage(place2, { title, block }) {
    const view = new BlockView(decodedBlock(block), remember);
    framed(place2, title, view);
    globalThis.steps = view;
  }

  // timeline.js
  var ARRAYS = ["weight", "bias", "mean", "variance"];
  var Timeline = class {
    /** data: of explore/timeline.py; layers: of the network, which has the weights of the entry `start`. */
    constructor({ entries, start, note, tested, of, most, labels, pictures }, layers) {
      Object.assign(this, { layers, note, of, most, at: start });
      this.epochs = entries.map(({ epoch }) => epoch);
      this.arrays = entries.map(({ weights }) => weights ? decoded2(weights) : taken(layers));
      this.predicted = entries.map(({ predicted }) => integersOf(predicted));
      [this.tested, this.labels] = [tested, labels].map(integersOf);
      this.pictures = Object.fromEntries(Object.entries(pictures).map(([k, text]) => [k, bytesOf(text)]));
    }
    get epoch() {
      return this.epochs[this.at];
    }
    go(number) {
      this.at = number;
      for (const [n, arrays] of Object.entries(this.arrays[number])) Object.assign(this.layers[n], arrays);
    }
    /** The tested pictures of a class that are taken for another one, by their places among all that were tested. */
    cell(label, predicted) {
      return [...this.labels.keys()].filter((k) => this.labels[k] === label && this.predicted[this.at][k] === predicted);
    }
    /** counts[label][predicted] of so many classes. */
    counts(classes) {
      const counts = Array.from({ length: classes }, () => new Array(classes).fill(0));
      this.labels.forEach((label, k) => counts[label][this.predicted[this.at][k]]++);
      return counts;
    }
  };
  function taken(layers) {
    const present = (layer) => Object.fromEntries(ARRAYS.filter((name) => layer[name]).map((name) => [name, layer[name]]));
    return Object.fromEntries(layers.map((layer, n) => [n, present(layer)]));
  }
  function decoded2(weights) {
    const array = (value) => typeof value === "string" ? floatsOf(value) : { ...value, data: floatsOf(value.data) };
    const ofLayer = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, value]) => [name, array(value)]));
    return Object.fromEntries(Object.entries(weights).map(([n, arrays]) => [n, ofLayer(arrays)]));
  }

  // engine/training.js
  function* backwardSteps(network, target) {
    const { layers, end } = network;
    const arrived = layers.map(() => null);
    const q = (i) => i === target ? 1 : 0;
    const logits = layers[end].sources[0];
    arrived[logits] = Float64Array.from(network.values[end], (p, i) => p - q(i));
    yield { phase: "backward", n: end, gy: new Float32Array([1]), inputs: [rounded(arrived[logits])], parameters: {} };
    for (let n = end - 1; n >= 1; n--) {
      const gy = rounded(arrived[n] ?? new Float64Array(size(layers[n].output)));
      const given2 = [layers[n], network.inputsOf(n), network.values[n], gy];
      const { inputs, parameters = {} } = network.of(n).backward(...given2);
      yield { phase: "backward", n, gy, inputs, parameters };
      for (const [k, source] of layers[n].sources.entries()) {
        const before = arrived[source];
        arrived[source] = before ? before.map((g, i) => g + inputs[k][i]) : Float64Array.from(inputs[k]);
        if (before) {
          yield { phase: "sum", n: source, before: rounded(before), arriving: inputs[k], sum: rounded(arrived[source]) };
        }
      }
    }
  }
  function updated(weights, gradient, velocity, { lr, momentum }) {
    const factor = Math.fround(momentum);
    const v = velocity ? gradient.map((g, i) => Math.fround(factor * velocity[i]) + g) : gradient.slice();
    const rate = Math.fround(lr);
    return { velocity: v, after: weights.map((w, i) => w - Math.fround(rate * v[i])) };
  }
  var Training = class {
    constructor(network, picture, target) {
      this.network = network.copy();
      Object.assign(this, { picture, target, velocities: {}, losses: [] });
      this.forward();
    }
    forward() {
      this.network.forward(this.picture);
      this.losses.push(lossOf(this.network.logits, this.target));
      this.backward = [...backwardSteps(this.network, this.target)];
    }
    /** Every weight's update with some settings: {n, name, before, gradient, velocity, next, after}. */
    updates(settings) {
      const { layers } = this.network;
      const ran = this.backward.filter(({ phase }) => phase === "backward");
      const ofUse = Object.fromEntries(ran.map(({ n, parameters }) => [n, parameters]));
      const names = ran.flatMap(({ n, parameters }) => Object.keys(parameters).map((name) => [n, name]));
      return names.filter(([n, name]) => layersWith(layers, n, name)[0] === n).map(([n, name]) => {
        const before = layers[n][name].data;
        const gradient = summedGradient(layers, n, name, ofUse);
        const velocity = this.velocities[`${n} ${name}`];
        const { velocity: next, after: after2 } = updated(before, gradient, velocity, settings);
        return { n, name, before, gradient, velocity, next, after: after2 };
      });
    }
    /** Take the step: the next one begins with its weights and velocities. */
    step(settings) {
      const { layers } = this.network;
      for (const { n, name, next, after: after2 } of this.updates(settings)) {
        this.velocities[`${n} ${name}`] = next;
        for (const user of layersWith(layers, n, name)) layers[user][name] = { ...layers[user][name], data: after2 };
      }
      this.forward();
    }
  };

  // steps/training.js
  var UPDATE = "v = momentum v + g      w = w − lr v";
  var LOSS = "loss = −log p_t      gx_i = p_i − q_i,   q_i = 1 for the class t of the loss, else 0";
  var COMPUTES = /\bbackend\.|from_operation/;
  function traceOf(training, settings) {
    const { network } = training;
    const { layers, end } = network;
    const trace = { nodes: [], steps: [], arrays: [], sources: [] };
    const keep = (numbers2, shape) => trace.arrays.push(arrayOf(numbers2, shape)) - 1;
    const add2 = (node) => trace.nodes.push({ module: "", variable: "", ...node }) - 1;
    const shapeOf2 = (n) => layers[n].output[1] * layers[n].output[2] > 1 ? layers[n].output : [layers[n].output[0]];
    const step = (phase, node, values, more) => trace.steps.push({ phase, node, values, about: "", lit: [], ...more });
    const numbers = layers.map(() => 0);
    const leaves = layers.map(() => ({}));
    const sources = layers.map((layer) => sourcesOf(layer, trace.sources));
    numbers[0] = add2({ kind: "constant", name: "picture", variable: "picture", shape: shapeOf2(0), inputs: [] });
    for (let n = 1; n <= end; n++) {
      const layer = layers[n];
      const inputs = layer.sources.map((source) => numbers[source]);
      for (const name of ["weight", "bias"]) {
        if (!layer[name]) continue;
        const [first] = layersWith(layers, n, name);
        if (first < n) leaves[n][name] = leaves[first][name];
        if (first < n) continue;
        const variable = `${layer.name}.${name}`;
        leaves[n][name] = add2({ kind: "leaf", name: variable, variable, shape: layer[name].shape, inputs: [] });
      }
      const isLoss = n === end;
      const { formula, gradient } = network.of(n);
      const node = {
        kind: "operation",
        name: isLoss ? "cross_entropy" : layer.name,
        module: isLoss ? "" : layer.title,
        sentence: layer.sentence,
        formulas: isLoss ? LOSS : `${formula}
${gradient}`,
        shape: isLoss ? [] : shapeOf2(n),
        inputs: [...inputs, ...Object.values(leaves[n])]
      };
      numbers[n] = add2(node);
      const values = layer.sources.map((source, k) => [
        `input ${k + 1}`,
        keep(network.values[source], shapeOf2(source)),
        numbers[source]
      ]);
      for (const [name, leaf] of Object.entries(leaves[n])) {
        values.push([name, keep(layer[name].data, layer[name].shape), leaf]);
      }
      const result = isLoss ? keep([training.losses.at(-1)], []) : keep(network.values[n], shapeOf2(n));
      const p = isLoss ? [["p, the probabilities", keep(network.values[n], shapeOf2(n)), numbers[n]]] : [];
      step(isLoss ? "loss" : "forward", numbers[n], [...values, ...p, ["y", result, numbers[n]]], {
        lit: sources[n].forward
      });
    }
    for (const done of training.backward) {
      const { n } = done;
      if (done.phase === "sum") {
        const names = ["before", "arriving", "sum"];
        const values2 = names.map((name) => [
          name === "before" ? "so far" : name,
          keep(done[name], shapeOf2(n)),
          numbers[n]
        ]);
        step("sum", numbers[n], values2);
        continue;
      }
      const values = [["gy", keep(done.gy, n === end ? [] : shapeOf2(n)), numbers[n]]];
      layers[n].sources.forEach((source, k) => {
        values.push([`gradient of input ${k + 1}`, keep(done.inputs[k], shapeOf2(source)), numbers[source]]);
      });
      for (const [name, gradient] of Object.entries(done.parameters)) {
        values.push([`gradient of the ${name}`, keep(gradient, layers[n][name].shape), leaves[n][name]]);
      }
      step("backward", numbers[n], values, { lit: sources[n].backward });
    }
    const { lr, momentum } = settings;
    for (const { n, name, before, gradient, velocity, next, after: after2 } of training.updates(settings)) {
      const node = leaves[n][name];
      const value = (label, numbers_) => [label, keep(numbers_, layers[n][name].shape), node];
      const values = [value("w before", before), value("gradient g", gradient)];
      if (velocity) values.push(value("velocity v before", velocity));
      values.push(value("velocity v", next), value("w after", after2));
      step("update", node, values, { formulas: UPDATE, about: `SGD: lr ${lr}, momentum ${momentum}` });
    }
    return trace;
  }
  function sourcesOf(layer, sources) {
    const lit = { forward: [], backward: [] };
    (layer.code ?? []).forEach(({ file, code: code2 }, k) => {
      const lines = code2.split("\n");
      const source = sources.push({ file, unnumbered: true, lines: lines.map((text, i) => [i, text]) }) - 1;
      const numbers = [...lines.keys()];
      const inner = numbers.filter((i) => isWithin(lines, i));
      const outer = numbers.filter((i) => !inner.includes(i) && (layer.code.length === 1 || COMPUTES.test(lines[i])));
      if (k !== 2) lit.forward.push([source, k === 1 ? numbers : outer]);
      if (k !== 1) lit.backward.push([source, k === 2 ? numbers : inner]);
    });
    return lit;
  }
  function isWithin(lines, i) {
    const start = lines.findLastIndex((line, k) => k <= i && /^    def backward\(/.test(line));
    return start >= 0 && lines.slice(start + 1, i + 1).every((line) => line === "" || /^     /.test(line));
  }
  var field = (label, value, onchange) => {
    const input = element("input", { type: "number", min: 0, max: 1, step: "any", value, onchange });
    return [element("label", {}, `${label} `, input), input];
  };
  var TrainingView = class {
    /** state: of the page; remember(k): called with the number of the step that is shown. */
    constructor(state, classes, remember2) {
      Object.assign(this, { state, classes, remember: remember2, settings: { lr: 0.01, momentum: 0.9 } });
      const [lr, lrField] = field("lr", 0.01, () => this.set("lr", lrField));
      const [momentum, momentumField] = field("momentum", 0.9, () => this.set("momentum", momentumField));
      const button = (text, onclick) => element("button", { type: "button", onclick }, text);
      this.take = button("take this step, and show the next", () => {
        this.training.step(this.settings);
        this.draw(0);
      });
      const again = button("begin again", () => this.begin());
      this.losses = element("p", { role: "status" });
      const controls = element("div", { class: "panel controls" }, lr, momentum, this.take, again, this.losses);
      this.place = element("div");
      this.element = element("div", {}, controls, this.place);
    }
    set(name, { value, valueAsNumber }) {
      if (value === "" || !(valueAsNumber >= 0)) return;
      this.settings = { ...this.settings, [name]: valueAsNumber };
      this.draw(this.view.player.at);
    }
    begin() {
      const { network, target } = this.state;
      this.of = network.gradients;
      this.training = new Training(network, network.values[0], target);
      this.draw(this.state.view.at);
    }
    /** Show step k of the step of training that comes next. */
    draw(k) {
      this.stop();
      this.view = new TraceView(traceOf(this.training, this.settings), this.remember);
      this.place.replaceChildren(this.view.element);
      const losses = this.training.losses.map((loss) => format(loss)).join(", ");
      const name = this.classes[this.training.target];
      this.losses.textContent = `loss of ${name} before this step: ${losses}. The picture is all of the batch.`;
      this.view.player.go(Math.min(k, this.view.player.count - 1));
    }
    /** Whatever has changed the numbers of the page, as another picture does, begins anew. */
    update() {
      const { network, view } = this.state;
      if (this.of !== network.gradients) this.begin();
      else if (view.at !== this.view.player.at) this.view.player.go(Math.min(view.at, this.view.player.count - 1));
    }
    redraw = () => this.draw(this.view.player.at);
    stop = () => this.view?.player.stop();
  };

  // engine/columns.js
  function mapsOf({ kind, weight, groups, output }, o) {
    if (kind !== "conv2d") return [o, 1];
    const seen2 = weight.shape[1];
    return [Math.floor(o / (output[0] / groups)) * seen2, seen2];
  }
  function windowsOf(layer, o) {
    const { window: window2, inputs, output } = layer;
    const [kernelHeight, kernelWidth] = window2.kernel;
    const [first, seen2] = mapsOf(layer, o);
    const [height, width] = window2.size;
    const rows = seen2 * kernelHeight * kernelWidth;
    const count = output[1] * output[2];
    const from = new Int32Array(rows * count).fill(-1);
    const down = Array.from({ length: output[1] }, (_, i) => places(window2, 0, i));
    const across = Array.from({ length: output[2] }, (_, j) => places(window2, 1, j));
    for (let row = 0; row < rows; row++) {
      const v = row % kernelWidth;
      const u = Math.floor(row / kernelWidth) % kernelHeight;
      const c = first + Math.floor(row / (kernelWidth * kernelHeight));
      for (let place2 = 0; place2 < count; place2++) {
        const y = down[Math.floor(place2 / output[2])][u];
        const x = across[place2 % output[2]][v];
        if (exists(y, height) && exists(x, width)) from[row * count + place2] = (c * inputs[0][1] + y) * inputs[0][2] + x;
      }
    }
    return { rows, places: count, from };
  }
  function im2col({ from }, x, padding = 0) {
    return Float32Array.from(from, (k) => k < 0 ? padding : x[k]);
  }
  function columnGradients(layer, windows, gy, o, terms) {
    const { rows, places: count, from } = windows;
    const gradients = new Float32Array(rows * count);
    if (layer.kind === "conv2d") {
      const { weight, groups, output } = layer;
      const together = output[0] / groups;
      const first = Math.floor(o / together) * together;
      const sums = new Float64Array(rows * count);
      for (let filter = first; filter < first + together; filter++) {
        for (let row = 0; row < rows; row++) {
          const w = weight.data[filter * rows + row];
          for (let place2 = 0; place2 < count; place2++) sums[row * count + place2] += w * gy[filter * count + place2];
        }
      }
      gradients.set(sums);
      return gradients;
    }
    for (let place2 = 0; place2 < count; place2++) {
      const factors = new Map(terms(place2).map(({ index, factor }) => [index, factor]));
      for (let row = 0; row < rows; row++) {
        const k = from[row * count + place2];
        if (k >= 0 && factors.get(k)) gradients[row * count + place2] = factors.get(k) * gy[o * count + place2];
      }
    }
    return gradients;
  }
  function col2im({ rows, places: count, from }, gradients, shape, until = count) {
    const sums = new Float64Array(size(shape));
    for (let place2 = 0; place2 < until; place2++) {
      for (let row = 0; row < rows; row++) {
        const k = from[row * count + place2];
        if (k >= 0) sums[k] += gradients[row * count + place2];
      }
    }
    return sums;
  }

  // steps/windows.js
  var KINDS2 = ["conv2d", "maxPool2d", "avgPool2d"];
  var MAP = 168;
  var MATRIX = 360;
  var MOST2 = 49;
  var hasWindows = ({ kind, window: window2 }) => KINDS2.includes(kind) && !window2.adaptive;
  var isConvolution = (layer) => layer.kind === "conv2d";
  var Picture = class {
    constructor({ height, width, side, label, color }) {
      const scale = Math.max(1, Math.min(14, Math.floor(side / Math.max(height, width))));
      Object.assign(this, { height, width, scale });
      this.tiles = new Tiles({ count: 1, height, width, columns: 1, scale, label });
      this.drawn = new OffscreenCanvas(this.tiles.canvas.width, this.tiles.canvas.height);
      this.paint(color);
    }
    paint(color) {
      this.tiles.draw(color);
      this.drawn.getContext("2d").drawImage(this.tiles.canvas, 0, 0);
    }
    /** covered: [row, column, rows, columns] of what is not there yet; marks: as of Tiles. */
    show(covered2, marks) {
      const context = this.tiles.canvas.getContext("2d");
      context.drawImage(this.drawn, 0, 0);
      context.fillStyle = isDark() ? "#2b2b36" : "#e4e4ec";
      for (const [row, column, rows, columns] of covered2) {
        const [left, top] = this.tiles.corner(0, row, column);
        context.fillRect(left, top, columns * this.scale, rows * this.scale);
      }
      for (const mark of marks) this.tiles.frame(context, { tile: 0, ...mark });
    }
  };
  var box = (rows, columns) => ({ rows, columns });
  var scrolled = (label, ...content) => element("div", { class: "scrolls tall", tabindex: 0, role: "group", "aria-label": label }, ...content);
  var figure = (caption, canvas) => element("figure", {}, element("figcaption", {}, caption), scrolled(caption, canvas));
  function grid(caption, numbers, width, lost, most = Math.max(...[...numbers].filter(isFinite).map(Math.abs), 0)) {
    const cells = Array.from(numbers, (x, k) => {
      const cell = element("td", { class: lost(k) ? "number padding" : "number" }, format(x, width > 4 ? 3 : 4));
      if (!lost(k)) cell.style.backgroundColor = behind(x, most);
      return cell;
    });
    const rows = [];
    for (let k = 0; k < cells.length; k += width) rows.push(element("tr", {}, ...cells.slice(k, k + width)));
    const table2 = element("table", {}, element("tbody", {}, ...rows));
    const scrolls = element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption }, table2);
    return element("figure", { class: "grid" }, element("figcaption", {}, caption), scrolls);
  }
  var Subject = class {
    constructor(state, n, o) {
      const { network } = state;
      Object.assign(this, { state, network, n, o, layer: network.layers[n] });
      const { layer } = this;
      const source = layer.sources[0];
      this.x = network.values[source];
      this.y = network.values[n];
      this.gy = network.gradients[n];
      this.windows = windowsOf(layer, o);
      this.columns = im2col(this.windows, this.x, layer.kind === "maxPool2d" ? -Infinity : 0);
      const explained = (place2) => network.explain(n, this.at(place2)).terms.map(({ at, factor }) => ({ index: indexOf(layer.inputs[0], at), factor }));
      this.gradients = columnGradients(layer, this.windows, this.gy, o, explained);
      [this.first, this.seen] = mapsOf(layer, o);
      this.area = layer.window.kernel[0] * layer.window.kernel[1];
      this.inputName = network.layers[source].name;
    }
    at = (place2) => placeOf(this.layer.output, this.o * this.windows.places + place2);
    /** Column `place` of a matrix of columns, the rows of input map first + c only. */
    column(matrix, place2, c) {
      const { places: places2 } = this.windows;
      return Array.from({ length: this.area }, (_, k) => matrix[(c * this.area + k) * places2 + place2]);
    }
    /** The row of the filter matrix, those of input map first + c only. */
    filter(c) {
      const start = this.o * this.windows.rows + c * this.area;
      return [...this.layer.weight.data.slice(start, start + this.area)];
    }
    /** The map whose products have the largest sum at a place. */
    strongest(place2) {
      if (!isConvolution(this.layer)) return 0;
      const sum2 = (c) => {
        const w = this.filter(c);
        return Math.abs(this.column(this.columns, place2, c).reduce((total2, x, k) => total2 + x * w[k], 0));
      };
      return Array.from({ length: this.seen }, (_, c) => sum2(c)).reduce(
        (best, s, c, all) => s > all[best] ? c : best,
        0
      );
    }
  };
  var WindowsView = class {
    /** state, choose: of the page; a step of the window chooses its output. */
    constructor(state, choose) {
      Object.assign(this, { state, choose });
      this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
      this.player = new Player({
        count: 1,
        label: "place of the window",
        describe: (place2) => this.subject ? `place ${place2}: ${this.placeText(place2)}` : "",
        onstep: (place2) => this.choose({ layer: this.subject.n, at: this.subject.at(place2) })
      });
      this.output = element("select", { id: "filter", onchange: () => this.choosesOutput() });
      this.input = element("select", { id: "seen", onchange: () => this.choosesInput() });
      this.outputLabel = element("label", { for: "filter" });
      this.inputLabel = element("label", { for: "seen" }, "input map ");
      const selects = element("p", { class: "controls" }, this.outputLabel, this.output, this.inputLabel, this.input);
      this.content = element("div", { class: "columns" });
      this.element = element(
        "section",
        { class: "panel", "aria-label": "a sliding window" },
        ...[this.heading, this.player.element, selects, this.content]
      );
    }
    choosesOutput() {
      const { n } = this.subject;
      const [, ...place2] = this.state.chosen.at;
      this.choose({ layer: n, at: [Number(this.output.value), ...place2] });
    }
    choosesInput() {
      this.c = Number(this.input.value);
      this.draw();
      this.show(this.player.at);
    }
    placeText(place2) {
      const [, i, j] = this.subject.at(place2);
      return `row ${i}, column ${j}`;
    }
    update() {
      const { network, chosen: chosen2 } = this.state;
      const { layer: n, at } = chosen2;
      const { output } = network.layers[n];
      const place2 = at[1] * output[2] + at[2];
      const { n: before, o, gy } = this.subject ?? {};
      if (before !== n || o !== at[0] || gy !== network.gradients[n]) {
        this.subject = new Subject(this.state, n, at[0]);
        if (before !== n || !isConvolution(this.subject.layer)) this.c = this.subject.strongest(place2);
        this.c = Math.min(this.c, this.subject.seen - 1);
        this.fillSelects();
        this.draw();
      }
      this.player.resize(this.subject.windows.places);
      this.player.at = place2;
      this.player.update();
      this.show(place2);
    }
    fillSelects() {
      const { layer, first, seen: seen2, o } = this.subject;
      const options = (from, count) => Array.from({ length: count }, (_, k) => element("option", { value: k }, String(from + k)));
      this.outputLabel.textContent = isConvolution(layer) ? "filter " : "map ";
      this.output.replaceChildren(...options(0, layer.output[0]));
      this.output.value = o;
      this.input.replaceChildren(...options(first, seen2));
      this.input.value = this.c;
      for (const part of [this.input, this.inputLabel]) part.hidden = seen2 === 1;
    }
    redraw() {
      this.draw();
      this.show(this.player.at);
    }
    stop = () => this.player.stop();
    /** All pictures that a step of the window leaves as they are. */
    draw() {
      const { subject: s, c } = this;
      const { layer, windows } = s;
      const [, inputHeight, inputWidth] = layer.inputs[0];
      const [, height, width] = layer.output;
      const map = s.first + c;
      const area = inputHeight * inputWidth;
      const grey = greys(s.x);
      const values = greys(s.y);
      const signed = twoColors(s.gradients);
      const isConv = isConvolution(layer);
      const columnColor = (k) => windows.from[k] < 0 ? [128, 128, 148] : grey(s.columns[k]);
      const matrix = { height: windows.rows, width: windows.places, side: MATRIX };
      const one = { height: 1, width: windows.places, side: MATRIX };
      const yRow = (k) => values(s.y[s.o * windows.places + k]);
      this.pictures = {
        x: new Picture({
          ...{ height: inputHeight, width: inputWidth, side: MAP, label: `${s.inputName}, map ${map}` },
          color: (k) => grey(s.x[map * area + k])
        }),
        y: new Picture({
          ...{ height, width, side: MAP, label: `${layer.name}, map ${s.o}, as far as it is computed` },
          color: yRow
        }),
        columns: new Picture({ ...matrix, label: "the matrix of columns, as far as it is filled", color: columnColor }),
        row: new Picture({ ...one, label: "the row of the output matrix", color: yRow }),
        gradients: new Picture({
          ...{ ...matrix, label: "the gradients of the columns" },
          color: (k) => windows.from[k] < 0 ? [128, 128, 148] : signed(s.gradients[k])
        }),
        gx: new Picture({
          ...{
            height: inputHeight,
            width: inputWidth,
            side: MAP,
            label: `the gradient of ${s.inputName}, map ${map}, so far`
          },
          color: () => [255, 255, 255]
        })
      };
      if (isConv) {
        const weights = twoColors(layer.weight.data);
        const count = layer.output[0];
        this.pictures.filters = new Picture({
          ...{ height: count, width: windows.rows, side: MATRIX, label: "the filter matrix, a filter in each row" },
          color: (k) => weights(layer.weight.data[k])
        });
      }
      this.whole = col2im(windows, s.gradients, layer.inputs[0]);
    }
    /** The window at a place. */
    show(place2) {
      const { subject: s, pictures: p, c } = this;
      const { layer, windows } = s;
      const [, height, width] = layer.output;
      const [, i, j] = s.at(place2);
      const value = s.y[s.o * windows.places + place2];
      this.heading.setAttribute("aria-live", this.player.timer ? "off" : "polite");
      this.heading.textContent = `${layer.name}, map ${s.o}: the window of row ${i}, column ${j}, value ${format(value)}`;
      const seen2 = this.seenBox(place2);
      const rest = [0, place2 + 1, windows.rows, windows.places - place2 - 1];
      const rows = [c * s.area, (c + 1) * s.area - 1];
      p.x.show([], seen2);
      p.y.show(
        [
          [i, j + 1, 1, width - j - 1],
          [i + 1, 0, height - i - 1, width]
        ],
        [box([i, i], [j, j])]
      );
      p.columns.show([rest], [box([0, windows.rows - 1], [place2, place2]), box(rows, [place2, place2])]);
      p.row.show([[0, place2 + 1, 1, windows.places - place2 - 1]], [box([0, 0], [place2, place2])]);
      p.filters?.show([], [box([s.o, s.o], [0, windows.rows - 1]), box([s.o, s.o], rows)]);
      p.gradients.show([rest], [box([0, windows.rows - 1], [place2, place2]), box(rows, [place2, place2])]);
      const sums = col2im(windows, s.gradients, layer.inputs[0], place2 + 1);
      const color = twoColors(this.whole);
      const area = layer.inputs[0][1] * layer.inputs[0][2];
      p.gx.paint((k) => color(sums[(s.first + c) * area + k]));
      p.gx.show([], seen2);
      this.content.replaceChildren(this.direct(place2, value), this.asMatrix(place2, value), this.backwards(place2, sums));
    }
    /** The part of the window that is within the input. */
    seenBox(place2) {
      const { windows, layer, area } = this.subject;
      const found = [];
      for (let k = 0; k < area; k++) {
        const from = windows.from[(this.c * area + k) * windows.places + place2];
        if (from >= 0) found.push(placeOf(layer.inputs[0], from));
      }
      if (!found.length) return [];
      return [box(rangeOf(found.map(([, y]) => y)), rangeOf(found.map(([, , x]) => x)))];
    }
    isLost = (place2) => (k) => {
      const { windows, area } = this.subject;
      return windows.from[(this.c * area + k) * windows.places + place2] < 0;
    };
    part(title, text, ...content) {
      return element("section", {}, element("h3", {}, title), element("p", { class: "small" }, text), ...content);
    }
    direct(place2, value) {
      const { subject: s, pictures: p, c } = this;
      const { layer } = s;
      const width = layer.window.kernel[1];
      const lost = this.isLost(place2);
      const x = s.column(s.columns, place2, c);
      const figures = [
        figure(`${s.inputName}, map ${s.first + c}: the window`, p.x.tiles.canvas),
        figure(`${layer.name}, map ${s.o}`, p.y.tiles.canvas)
      ];
      const numbers = s.area <= MOST2 ? [grid("x", x, width, lost)] : [];
      if (!isConvolution(layer)) {
        const text2 = layer.kind === "maxPool2d" ? "The largest number under the window." : "The mean under the window.";
        const found = element("p", {}, `y = ${format(value)}`);
        return this.part("Direct", text2, element("div", { class: "figures" }, ...figures, ...numbers), found);
      }
      const w = s.filter(c);
      const products = x.map((a, k) => a * w[k]);
      if (s.area <= MOST2)
        numbers.push(
          grid("w", w, width, () => false),
          grid("w x", products, width, lost)
        );
      const sum2 = products.reduce((total2, a) => total2 + a, 0);
      const others2 = s.seen > 1 ? ` The other ${s.seen - 1} maps it sees: ${format(value - sum2 - this.bias())}.` : "";
      const bias = layer.bias ? ` Bias: ${format(this.bias())}.` : "";
      const said = `These ${s.area} products: ${format(sum2)}.${others2}${bias} Together y = ${format(value)}.`;
      const text = "Products of what is under the window with the filter, added up.";
      return this.part(
        "Direct",
        text,
        element("div", { class: "figures" }, ...figures, ...numbers),
        element("p", {}, said)
      );
    }
    bias = () => this.subject.layer.bias?.data[this.subject.o] ?? 0;
    asMatrix(place2, value) {
      const { subject: s, pictures: p, c } = this;
      const { layer, windows } = s;
      const shape = `${windows.rows} × ${windows.places}`;
      const columns = figure(`columns, ${shape}: column ${place2} is this window`, p.columns.tiles.canvas);
      const row = figure(`the row of map ${s.o} in the output, 1 × ${windows.places}`, p.row.tiles.canvas);
      const text = "im2col copies the window, row by row and map by map, into the column of its place. " + (isConvolution(layer) ? "One matrix product then computes all places of all maps: row times column." : "Each column then gives one number.");
      const filters2 = p.filters ? [figure(`filter matrix, ${layer.output[0]} × ${windows.rows}: row ${s.o}`, p.filters.tiles.canvas)] : [];
      return this.part(
        "im2col",
        text,
        element("div", { class: "figures" }, ...filters2, columns, row),
        this.columnTable(place2, c),
        element("p", {}, `${this.resultOf(layer, place2)} = ${format(value)}`)
      );
    }
    resultOf({ kind, bias }, place2) {
      if (kind === "conv2d") return `row ${this.subject.o} · column ${place2}${bias ? " + bias" : ""}`;
      return `the ${kind === "maxPool2d" ? "largest" : "mean"} of column ${place2}`;
    }
    /** The rows of the column that are of the chosen map, with what they are multiplied by. */
    columnTable(place2, c) {
      const { subject: s } = this;
      const { layer } = s;
      const width = layer.window.kernel[1];
      const x = s.column(s.columns, place2, c);
      const w = isConvolution(layer) ? s.filter(c) : null;
      const lost = this.isLost(place2);
      const headings = ["row", "c, u, v", "x", ...w ? ["w", "w x"] : []];
      const rows = x.map((value, k) => {
        const numbers = [value, ...w ? [w[k], w[k] * value] : []];
        const where = `${s.first + c}, ${Math.floor(k / width)}, ${k % width}${lost(k) ? " padding" : ""}`;
        const cells = numbers.map((number) => element("td", { class: "number" }, format(number)));
        return element("tr", {}, element("td", {}, String(c * s.area + k)), element("td", {}, where), ...cells);
      });
      const head = element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text)));
      const table2 = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
      const label = `column ${place2}, the rows of map ${s.first + c}`;
      const scrolls = element("div", { class: "scrolls tall", tabindex: 0, role: "group", "aria-label": label }, table2);
      return element("details", { open: s.area <= 9 }, element("summary", {}, label), scrolls);
    }
    backwards(place2, sums) {
      const { subject: s, pictures: p, c } = this;
      const { layer, windows } = s;
      const width = layer.window.kernel[1];
      const lost = this.isLost(place2);
      const added = s.column(s.gradients, place2, c);
      const from = Array.from({ length: s.area }, (_, k) => windows.from[(c * s.area + k) * windows.places + place2]);
      const after2 = from.map((k) => k < 0 ? 0 : sums[k]);
      const before = after2.map((sum2, k) => from[k] < 0 ? 0 : sum2 - added[k]);
      const most = Math.max(...[...before, ...added, ...after2].map(Math.abs));
      const how = isConvolution(layer) ? "The filters, transposed, times the gradients arriving give the gradients of all columns. " : layer.kind === "maxPool2d" ? "The gradient arriving goes to the largest number of its column. " : "The gradient arriving is shared out equally within its column. ";
      const numbers = s.area <= MOST2 ? [
        grid("sum so far", before, width, lost, most),
        element("span", { class: "sign" }, "+"),
        grid(`column ${place2}`, added, width, lost, most),
        element("span", { class: "sign" }, "="),
        grid("sum now", after2, width, lost, most)
      ] : [];
      return this.part(
        "col2im, backwards",
        `${how}col2im adds each column back to the pixels that it was copied from: where windows overlap, sums grow.`,
        element(
          "div",
          { class: "figures" },
          figure(`gradients of the columns, ${windows.rows} × ${windows.places}`, p.gradients.tiles.canvas),
          figure(
            `gradient of ${s.inputName}, map ${s.first + c}, after ${place2 + 1} of ${windows.places} places`,
            p.gx.tiles.canvas
          )
        ),
        element("div", { class: "figures arrays" }, ...numbers)
      );
    }
  };

  // steps/below.js
  var Below = class {
    /** panel: the element of the explanation; choose, update and remember: of the page. */
    constructor(state, classes, panel, { choose, update, remember: remember2 }) {
      Object.assign(this, { state, classes, panel, choose, refresh: update });
      const onstep = (k) => {
        if (state.view) state.view.at = k;
        remember2();
      };
      this.make = {
        training: () => new TrainingView(state, classes, onstep),
        windows: () => new WindowsView(state, choose)
      };
      this.views = {};
      const button = (text, name) => {
        const made = element("button", { type: "button", onclick: () => this.open(name) }, text);
        return [name, made];
      };
      this.computes = state.network.computes;
      this.buttons = [button("the explanation", null)];
      if (this.computes) this.buttons.push(button("one training step", "training"));
      if (this.computes && state.network.layers.some(hasWindows))
        this.buttons.push(button("a sliding window", "windows"));
      const legend = element("legend", {}, "Shown below");
      this.choice = element("fieldset", { hidden: !this.computes }, legend, ...this.buttons.map(([, made]) => made));
      this.element = element("div");
    }
    open(name) {
      const { state } = this;
      state.view = name && { name, at: 0 };
      if (name === "windows" && !this.isWindowed()) {
        const layer = state.network.layers.findIndex(hasWindows);
        state.chosen = { layer, at: state.largest(layer) };
      }
      this.refresh();
    }
    /** Whether the windows of what is chosen can be shown. */
    isWindowed() {
      const { chosen: chosen2, network } = this.state;
      return hasWindows(network.layers[chosen2.layer]) && Boolean(chosen2.at) && !chosen2.parameter;
    }
    /** Something else was chosen: it is explained, unless it is another window. */
    chosen() {
      const { view } = this.state;
      if (view?.name === "training" || !this.isWindowed()) this.state.view = null;
    }
    update() {
      const { state } = this;
      if (!this.computes) state.view = null;
      if (state.view?.name === "windows" && !this.isWindowed()) {
        const { layer } = state.chosen;
        if (hasWindows(state.network.layers[layer])) state.chosen = { layer, at: state.placeIn(layer) };
        else state.view = null;
      }
      const name = state.view?.name ?? null;
      if (name) this.views[name] ??= this.make[name]();
      for (const [other, view] of Object.entries(this.views)) if (other !== name) view.stop();
      const shown = name ? this.views[name].element : this.panel;
      if (this.element.firstChild !== shown) this.element.replaceChildren(shown);
      if (name) this.views[name].update();
      for (const [other, button] of this.buttons) button.setAttribute("aria-pressed", other === name);
    }
    /** Colours have changed. */
    redraw() {
      if (this.state.view) this.views[this.state.view.name].redraw();
    }
  };

  // view/confusion.js
  var NUMBERS = 20;
  var SIDE = 64;
  var counted2 = (count) => `${count.toLocaleString("en")} picture${count === 1 ? "" : "s"}`;
  var sum = (numbers) => numbers.reduce((total2, n) => total2 + n, 0);
  var Confusion = class {
    /** open(picture): called with a picture of a cell that is pressed; null where the page cannot compute it. */
    constructor(timeline, classes, shape, open) {
      Object.assign(this, { timeline, classes, shape, open });
      this.summary = element("summary");
      this.chosen = this.worst();
      this.table = classes.length <= NUMBERS ? this.numbers() : this.colors();
      this.heading = element("h3", { "aria-live": "polite" });
      this.found = element("div", { class: "found" });
      const about = `Rows: what it is. Columns: what the network takes it for. ${this.extent()}`;
      const help = "Press a number, or choose one with the arrow keys, to see its pictures.";
      const parts = [element("p", { class: "small" }, `${about} ${help}`), this.table, this.heading, this.found];
      this.element = element("details", { class: "confusion" }, this.summary, ...parts);
      this.update();
    }
    extent() {
      const { tested, of } = this.timeline;
      if (tested.length === of) return `All ${of.toLocaleString("en")} test pictures.`;
      return `${tested.length.toLocaleString("en")} of the ${of.toLocaleString("en")} test pictures, drawn at random.`;
    }
    /** The cell of the most frequent mistake. */
    worst() {
      const counts = this.timeline.counts(this.classes.length);
      const cells = counts.flatMap((row, i) => row.map((count, j) => ({ count: i === j ? 0 : count, cell: [i, j] })));
      return cells.reduce((best, other) => other.count > best.count ? other : best).cell;
    }
    /** A table of buttons, of which Tab reaches one. */
    numbers() {
      const head = (text, scope) => element("th", { scope }, text);
      this.buttons = this.classes.map(
        (_, i) => this.classes.map((_2, j) => {
          const onclick = () => this.choose(i, j);
          return element("button", { type: "button", onclick, onkeydown: (event) => this.key(event) });
        })
      );
      const rows = this.buttons.map(
        (row, i) => element("tr", {}, head(this.classes[i], "row"), ...row.map((button) => element("td", {}, button)))
      );
      const top = element("tr", {}, element("td"), ...this.classes.map((name) => head(name, "col")));
      const table2 = element("table", {}, element("thead", {}, top), element("tbody", {}, ...rows));
      return element("div", { class: "scrolls", role: "group", "aria-label": "confusion matrix" }, table2);
    }
    colors() {
      const count = this.classes.length;
      const scale = Math.max(1, Math.min(9, Math.floor(640 / count)));
      const label = "confusion matrix: arrow keys choose a cell";
      const onpick = (tile, i, j) => this.choose(i, j);
      const chosen2 = () => [0, ...this.chosen];
      this.tiles = new Tiles({ count: 1, height: count, width: count, columns: 1, scale, label, onpick, chosen: chosen2 });
      return element("div", { class: "scrolls tall" }, this.tiles.canvas);
    }
    key(event) {
      const last = this.classes.length - 1;
      const [i, j] = this.chosen;
      const moves = {
        ArrowUp: [i - 1, j],
        ArrowDown: [i + 1, j],
        ArrowLeft: [i, j - 1],
        ArrowRight: [i, j + 1],
        Home: [i, 0],
        End: [i, last]
      };
      const to = moves[event.key];
      if (!to || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      if (to.some((place2) => place2 < 0 || place2 > last)) return;
      this.choose(...to);
      this.buttons[to[0]][to[1]].focus();
    }
    choose(i, j) {
      this.chosen = [i, j];
      this.update();
    }
    describe(i, j, count) {
      const [label, predicted] = [this.classes[i], this.classes[j]];
      return i === j ? `${label}, recognised: ${counted2(count)}` : `${label} taken for ${predicted}: ${counted2(count)}`;
    }
    update() {
      const { timeline, classes } = this;
      const counts = timeline.counts(classes.length);
      const right = sum(counts.map((row, i) => row[i]));
      const count = timeline.labels.length;
      const after2 = `after ${timeline.epoch} epoch${timeline.epoch === 1 ? "" : "s"}`;
      this.summary.textContent = `Confusion ${after2}: ${percent(right / count)} of ${counted2(count)} recognised`;
      if (this.tiles) this.draw(counts);
      else this.fill(counts);
      this.show();
    }
    fill(counts) {
      this.buttons.forEach((row, i) => {
        const all = sum(counts[i]) || 1;
        row.forEach((button, j) => {
          const isChosen = this.chosen[0] === i && this.chosen[1] === j;
          button.textContent = counts[i][j];
          button.setAttribute("aria-label", this.describe(i, j, counts[i][j]));
          button.setAttribute("aria-pressed", isChosen);
          button.tabIndex = isChosen ? 0 : -1;
          const share = counts[i][j] / all;
          button.style.backgroundColor = isChosen ? "" : behind(i === j ? -share : share, 1);
        });
      });
    }
    /** Blue on the diagonal, orange beside it. */
    draw(counts) {
      const shares = counts.flatMap((row, i2) => row.map((n, j2) => (i2 === j2 ? -n : n) / (sum(row) || 1)));
      const color = twoColors(shares);
      const [i, j] = this.chosen;
      this.tiles.draw((k) => color(shares[k]), [{ tile: 0, rows: [i, i], columns: [j, j] }]);
    }
    /** The pictures of the chosen cell that the page has. */
    show() {
      const [i, j] = this.chosen;
      const { timeline } = this;
      const all = timeline.cell(i, j);
      const known = all.filter((k) => timeline.pictures[k]).slice(0, timeline.most);
      this.heading.textContent = this.describe(i, j, all.length);
      const missing = all.length - known.length;
      const text = `and ${counted2(missing)} more, which the page leaves out`;
      const rest = missing ? [element("p", { class: "small" }, text)] : [];
      this.found.replaceChildren(...known.map((k) => this.picture(k, i)), ...rest);
    }
    picture(k, label) {
      const pixels = this.timeline.pictures[k];
      const [, height, width] = this.shape;
      const area = height * width;
      const scale = Math.max(1, Math.floor(SIDE / Math.max(height, width)));
      const caption = `test image ${this.timeline.tested[k]}`;
      const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, gap: 0, label: caption });
      tiles.draw((i) => [pixels[i], pixels[area + i], pixels[2 * area + i]]);
      if (!this.open) return tiles.canvas;
      tiles.canvas.setAttribute("aria-hidden", "true");
      const onclick = () => this.open({ caption, shape: [3, height, width], pixels, label });
      const options = { type: "button", "aria-label": `${caption}: explore it`, title: caption, onclick };
      return element("button", options, tiles.canvas);
    }
  };

  // view/epochs.js
  var PAUSE = 900;
  var Epochs = class {
    /** go(number): called with the number of the entry to show. */
    constructor(timeline, go) {
      Object.assign(this, { timeline, go });
      const last = timeline.epochs.length - 1;
      const oninput = () => this.choose(Number(this.slider.value));
      this.slider = element("input", { type: "range", id: "epoch", min: 0, max: last, step: 1, oninput });
      this.play = element("button", { type: "button", onclick: () => this.timer ? this.stop() : this.start() });
      this.shown = element("output", { for: "epoch" });
      const label = element("label", { for: "epoch" }, "weights after ");
      const note = timeline.note && element("span", { class: "small" }, timeline.note);
      const parts = [label, this.shown, this.slider, this.play, note].filter(Boolean);
      this.element = element("fieldset", { class: "epochs" }, element("legend", {}, "Training"), ...parts);
      this.update();
    }
    choose(number) {
      this.stop();
      this.go(number);
    }
    /** From the beginning, if the last epoch is shown. */
    start() {
      const { at, epochs } = this.timeline;
      this.timer = setInterval(() => this.step(), PAUSE);
      this.go(at === epochs.length - 1 ? 0 : at + 1);
      this.endAtLast();
    }
    step() {
      this.go(this.timeline.at + 1);
      this.endAtLast();
    }
    endAtLast() {
      if (this.timeline.at >= this.timeline.epochs.length - 1) this.stop();
    }
    stop() {
      clearInterval(this.timer);
      this.timer = null;
      this.update();
    }
    update() {
      const { at, epoch } = this.timeline;
      const text = epoch === 1 ? "1 epoch" : `${epoch} epochs`;
      this.slider.value = at;
      this.slider.setAttribute("aria-valuetext", text);
      this.shown.textContent = text;
      this.play.textContent = this.timer ? "pause training" : "play training";
    }
  };

  // view/marks.js
  function boxes(terms) {
    const found = /* @__PURE__ */ new Map();
    for (const { layer, at } of terms) {
      if (!at) continue;
      const [c, y, x] = at;
      const key = `${layer}:${c}`;
      const { rows, columns } = found.get(key) ?? { rows: [y, y], columns: [x, x] };
      const wider = ([first, last], place2) => [Math.min(first, place2), Math.max(last, place2)];
      found.set(key, { layer, tile: c, rows: wider(rows, y), columns: wider(columns, x) });
    }
    return [...found.values()];
  }
  var around2 = ({ layer, at: [c, y, x] }) => ({ layer, tile: c, rows: [y, y], columns: [x, x] });
  function marksOf({ chosen: chosen2 }, explanation) {
    if (!chosen2.at) return [];
    return chosen2.parameter ? boxes(explanation.terms) : [around2(chosen2), ...boxes(explanation.terms)];
  }

  // view/drawing.js
  var SHOWN = 224;
  var PAPER = "#ffffff";
  var INK = "#1c1c20";
  var BRUSH = 1 / 12;
  function drawing(side, gallery, add2) {
    const label = "drawing: the arrow keys move the brush, with Shift they draw";
    const canvas = element("canvas", {
      width: side,
      height: side,
      tabindex: 0,
      role: "application",
      "aria-label": label
    });
    const shown = `${Math.max(side, Math.floor(SHOWN / side) * side)}px`;
    Object.assign(canvas.style, { width: shown, height: shown, touchAction: "none" });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    Object.assign(context, { lineWidth: Math.max(1, side * BRUSH), lineCap: "round", lineJoin: "round" });
    let brush = [side / 2, side / 2];
    const color = element("input", { type: "color", value: INK, id: "brush" });
    const clear = () => {
      context.fillStyle = PAPER;
      context.fillRect(0, 0, side, side);
    };
    const lineTo = (place2) => {
      context.strokeStyle = color.value;
      context.beginPath();
      context.moveTo(...brush);
      context.lineTo(...place2);
      context.stroke();
      brush = place2;
    };
    const placeOf2 = (event) => {
      const box2 = canvas.getBoundingClientRect();
      return [(event.clientX - box2.left) * side / box2.width, (event.clientY - box2.top) * side / box2.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      brush = placeOf2(event);
      lineTo(brush);
    });
    canvas.addEventListener("pointermove", (event) => event.buttons && lineTo(placeOf2(event)));
    canvas.addEventListener("keydown", (event) => {
      const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
      if (!x && !y) return;
      event.preventDefault();
      const step = Math.max(1, side * BRUSH / 2);
      const place2 = [brush[0] + x * step, brush[1] + y * step].map((n) => Math.max(0, Math.min(side, n)));
      if (event.shiftKey) lineTo(place2);
      else brush = place2;
    });
    clear();
    return element(
      "div",
      { class: "drawing" },
      canvas,
      element("label", { for: "brush" }, "colour ", color),
      element("button", { type: "button", onclick: clear }, "clear"),
      element("button", { type: "button", onclick: () => add2(gallery.ofDrawing(drawnOn(canvas))) }, "show it")
    );
  }

  // view/more_pictures.js
  function morePictures(gallery, side, count, add2) {
    const open = (file) => add2(gallery.ofFile(file).catch((error) => Promise.reject(readable(error, file))));
    const fields = [
      fileField(open),
      element("details", {}, element("summary", {}, "draw one"), drawing(side, gallery, add2))
    ];
    if (count) fields.push(numberField(count, (number) => add2(gallery.ofNumber(number))));
    return element("div", { class: "more" }, ...fields);
  }
  function readable(error, { name }) {
    return error.name === "Error" ? error : new Error(`${name} is no picture that this browser can read.`);
  }
  function fileField(open) {
    const onchange = () => field2.files[0] && open(field2.files[0]);
    const field2 = element("input", { type: "file", accept: "image/*", id: "own", onchange });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
    });
    return element("label", { for: "own" }, "one of your own ", field2);
  }
  function numberField(count, take) {
    const field2 = element("input", { type: "number", id: "number", min: 0, max: count - 1, value: 0, required: true });
    const onsubmit = (event) => {
      event.preventDefault();
      take(field2.valueAsNumber);
    };
    const label = element("label", { for: "number" }, `test image, 0 to ${count - 1} `);
    return element("form", { onsubmit }, label, field2, element("button", { type: "submit" }, "take it"));
  }

  // view/words.js
  function placeText([c, y, x], [, height, width]) {
    return height * width === 1 ? `number ${c}` : `map ${c}, row ${y}, column ${x}`;
  }
  function shortPlace(layer, [c, y, x]) {
    const [, height, width] = layer.output;
    return `${layer.name} [${height * width === 1 ? c : `${c}, ${y}, ${x}`}]`;
  }
  function shapeText([c, height, width]) {
    return height * width === 1 ? `${c}` : `${c} × ${height} × ${width}`;
  }
  function fromText({ terms }, layers) {
    const places2 = Object.groupBy(
      terms.filter(({ at }) => at),
      ({ layer }) => layer
    );
    const texts = Object.entries(places2).map(([n, group]) => {
      const [maps2, rows, columns] = [0, 1, 2].map((axis) => {
        return rangeOf(group.map(({ at }) => at[axis]));
      });
      const [, height, width] = layers[n].output;
      if (height * width === 1) return `${layers[n].name}: ${span("number", maps2)}`;
      return `${layers[n].name}: ${span("map", maps2)}, ${span("row", rows)}, ${span("column", columns)}`;
    });
    return texts.length ? `from ${texts.join("; ")}` : "";
  }
  var span = (name, [first, last]) => first === last ? `${name} ${first}` : `${name}s ${first} to ${last}`;

  // view/explanation.js
  var MAPS = 6;
  var TERMS = 14;
  var stepsOf = ({ steps }) => table(null, steps, "the steps to this number");
  function termsOf(explanation, layers, go) {
    const { terms } = explanation;
    if (!terms.length) return null;
    const groups = Object.values(Object.groupBy(terms, ({ layer, map, at }) => `${layer}:${map ?? at?.[0]}`));
    const [rows, columns] = explanation.grid ?? gridOf(groups[0]);
    if (rows * columns === 1 || groups.some((group) => group.length !== rows * columns))
      return list(explanation, layers, go);
    return maps(explanation, groups, columns, layers, go);
  }
  function gridOf(group) {
    const distinct = (axis) => new Set(group.map(({ at }) => at?.[axis])).size;
    return [distinct(1), distinct(2)];
  }
  var sumOf = (group) => group.reduce((sum2, { product: product2 }) => sum2 + product2, 0);
  var largestOf = (terms, name) => terms.reduce((most, term) => Math.max(most, Math.abs(term[name] ?? 0)), 0);
  function maps({ terms, columns }, groups, width, layers, go) {
    groups.sort((a, b) => Math.abs(sumOf(b)) - Math.abs(sumOf(a)));
    const items = groups.map((group, k) => () => {
      const [{ layer, map, at }] = group;
      const grids = Object.entries(columns).map(
        ([field2, name]) => grid2(group, field2, name, width, largestOf(terms, field2), layers, go)
      );
      const together = columns.product ? `: ${counted(group, "term")}, together ${format(sumOf(group))}` : "";
      const title = `map ${map ?? at[0]} of ${layers[layer].name}${together}`;
      return element(
        "details",
        { open: k === 0 },
        element("summary", {}, title),
        element("div", { class: "grids" }, ...grids)
      );
    });
    return shortened(element("div"), items, MAPS, "maps");
  }
  function grid2(group, field2, name, width, most, layers, go) {
    const rows = [];
    for (let first = 0; first < group.length; first += width) {
      rows.push(
        element(
          "tr",
          {},
          ...group.slice(first, first + width).map((term) => {
            const text = format(term[field2]);
            const target = field2 === "value" && term.at && { layer: term.layer, at: term.at };
            const content = target ? link(text, `${text}, ${shortPlace(layers[term.layer], term.at)}`, () => go(target)) : text;
            const cell = element("td", { class: term.at ? "number" : "number padding" }, content);
            cell.style.backgroundColor = behind(term[field2], most);
            return cell;
          })
        )
      );
    }
    const label = element("figcaption", {}, name);
    const numbers = element("table", {}, element("tbody", {}, ...rows));
    return element(
      "figure",
      { class: "grid" },
      label,
      element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": name }, numbers)
    );
  }
  function list({ terms, columns: names }, layers, go) {
    const sorted = terms.some((term) => term.product === void 0) ? terms : [...terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    const fields = Object.keys(names);
    const most = largestOf(terms, "product");
    const isOfWeight = terms.some(({ from }) => from);
    const made = sorted.map((term) => () => {
      const text = term.loss ? "the loss" : term.at ? shortPlace(layers[term.layer], term.at) : "padding";
      const place2 = term.at && !term.loss ? link(text, text, () => go({ layer: term.layer, at: term.at })) : text;
      const cells = fields.map((field2) => element("td", { class: "number" }, format(term[field2])));
      if (term.product !== void 0) cells.at(-1).style.backgroundColor = behind(term.product, most);
      if (isOfWeight) cells.push(element("td", {}, derivativeOf(term, layers, go)));
      return element("tr", {}, element("td", {}, place2), ...cells);
    });
    const head = element(
      "thead",
      {},
      element("tr", {}, ...["from", ...Object.values(names), ...isOfWeight ? ["dy/dw is"] : []].map((name) => element("th", { scope: "col" }, name)))
    );
    const body = element("tbody");
    const shown = shortened(body, made, TERMS, "terms");
    const whole = element("table", {}, head, body);
    const more = shown === body ? null : shown.querySelector("button");
    return element(
      "div",
      {},
      element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": "the terms" }, whole),
      more
    );
  }
  function derivativeOf({ source, from }, layers, go) {
    const text = shortPlace(layers[source], from);
    return link(text, `dy/dw is ${text}`, () => go({ layer: source, at: from }));
  }
  var link = (text, label, onclick) => element("button", { type: "button", class: "link", "aria-label": label, onclick }, text);

  // view/figures.js
  var SIDE2 = 160;
  function figure2(caption, [, height, width], color, marks, onpick, chosen2) {
    const scale = Math.max(1, Math.floor(SIDE2 / Math.max(height, width)));
    const label = `${caption}, enlarged: arrow keys choose a pixel`;
    const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, label, onpick, chosen: chosen2 });
    tiles.draw(
      color,
      marks.map((mark) => ({ ...mark, tile: 0 }))
    );
    return element("figure", {}, tiles.canvas, element("figcaption", {}, caption));
  }
  function mapFigure(state, layer, map, marks, choose) {
    const { network, backward } = state;
    const { output, name } = network.layers[layer];
    const all = backward ? network.gradients[layer] : network.values[layer];
    const area = output[1] * output[2];
    const color = backward ? twoColors(all, true) : greys(all);
    const here = marks.filter((mark) => mark.layer === layer && mark.tile === map);
    const chosen2 = () => [
      0,
      ...state.chosen.layer === layer ? state.chosen.at.slice(1) : [here[0]?.rows[0] ?? 0, here[0]?.columns[0] ?? 0]
    ];
    const onpick = (tile, y, x) => choose({ layer, at: [map, y, x] });
    return figure2(`${name}, map ${map}`, output, (k) => color(all[map * area + k]), here, onpick, chosen2);
  }
  function pictureFigure(state, choose) {
    const { network, pictures, picture, chosen: chosen2 } = state;
    const { pixels, shape } = pictures[picture];
    const area = shape[1] * shape[2];
    const field2 = network.receptiveField(chosen2.layer, chosen2.at).find(({ layer }) => layer === 0);
    const color = (k) => [pixels[k], pixels[area + k], pixels[2 * area + k]];
    const map = chosen2.layer === 0 ? chosen2.at[0] : 0;
    const onpick = (tile, y, x) => choose({ layer: 0, at: [map, y, x] });
    const at = () => [0, field2.rows[0], field2.columns[0]];
    const caption = chosen2.layer === 0 ? "the picture" : "the picture: what this number sees of it";
    return figure2(caption, shape, color, [field2], onpick, at);
  }
  function figuresOf(state, explanation, marks, choose) {
    const { chosen: chosen2, network, backward } = state;
    const figures = [pictureFigure(state, choose)];
    const isMap = (layer) => network.layers[layer].output[1] * network.layers[layer].output[2] > 1;
    const [strongest] = [...explanation.terms].filter(({ at }) => at).sort((a, b) => Math.abs(b.product ?? 0) - Math.abs(a.product ?? 0));
    const other = strongest && isMap(strongest.layer) ? [strongest.layer, strongest.at[0]] : null;
    const own = isMap(chosen2.layer) ? [chosen2.layer, chosen2.at[0]] : null;
    for (const shown of backward ? [own, other] : [other, own]) {
      if (shown) figures.push(mapFigure(state, ...shown, marks, choose));
    }
    return element("div", { class: "figures" }, ...figures);
  }

  // view/attention.js
  var SIDE3 = 192;
  var SQUARES = 8;
  var HEAT = [213, 94, 0];
  function heated({ pixels, shape }, heat, label) {
    const [, height, width] = shape;
    const scale = Math.max(1, Math.floor(SIDE3 / Math.max(height, width)));
    const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, label });
    const area = height * width;
    tiles.draw((k) => {
      const share = 0.75 * heat(Math.floor(k / width), k % width);
      const grey = (pixels[k] + pixels[area + k] + pixels[2 * area + k]) / 3;
      return HEAT.map((color) => grey + share * (color - grey));
    });
    return tiles.canvas;
  }
  function gradCamOf(state, n, name) {
    const { network, pictures, picture } = state;
    const map = network.gradCam(n);
    const most = rangeOf(map)[1];
    const { shape } = pictures[picture];
    const [, height, width] = network.layers[n].output;
    const heat = (y, x) => map[Math.floor(y * height / shape[1]) * width + Math.floor(x * width / shape[2])] / (most || 1);
    const canvas = heated(pictures[picture], heat, `Grad-CAM of ${name}`);
    const text = `orange: what speaks for ${name} in these maps, each weighted by its mean gradient (Grad-CAM)`;
    return element(
      "figure",
      {},
      canvas,
      element("figcaption", {}, most ? text : `nothing in these maps speaks for ${name}`)
    );
  }
  function occlusionOf(state, name) {
    if (!state.network.isLive) return element("p", {}, "The page that is served covers the picture square by square.");
    const place2 = element("div");
    const button = element("button", { type: "button" }, `cover the picture square by square, and watch ${name}`);
    button.addEventListener("click", async () => {
      button.disabled = true;
      place2.textContent = "minialex computes …";
      place2.replaceChildren(await covered(state, name, place2).catch((error) => error.message));
      button.disabled = false;
    });
    return element("div", {}, button, place2);
  }
  async function covered(state, name, place2) {
    const { network, target, pictures, picture } = state;
    const { shape } = pictures[picture];
    const [, height, width] = shape;
    const side = Math.max(1, Math.floor(Math.min(height, width) / (SQUARES / 2)));
    const stride = Math.max(1, Math.floor(side / 2));
    const whole = network.values[network.end][target];
    const lost = new Float32Array(height * width);
    let least = { probability: Infinity };
    for await (const square of network.occlusion(pictures[picture], target, side, stride)) {
      const { row, column, probability } = square;
      if (column === 0) {
        place2.textContent = `row ${row} of ${height}`;
        await new Promise((done) => setTimeout(done));
      }
      if (probability < least.probability) least = square;
      for (let y = row; y < row + side; y++) {
        for (let x = column; x < column + side; x++) {
          lost[y * width + x] = Math.max(lost[y * width + x], whole - probability);
        }
      }
    }
    const most = rangeOf(lost)[1] || 1;
    const canvas = heated(pictures[picture], (y, x) => lost[y * width + x] / most, `occlusion of ${name}`);
    const text = `orange: what ${name} loses most by being covered, with squares of ${side} × ${side} pixels of the mean colour; whole ${percent(whole)}, least ${percent(least.probability)} at row ${least.row}, column ${least.column}`;
    return element("figure", {}, canvas, element("figcaption", {}, text));
  }

  // view/histogram.js
  var [WIDTH2, HEIGHT2] = [246, 64];
  function histogram({ count: all, smallest, largest: largest2, mean: mean2, std, zeros: zeros2, bins }, what) {
    const canvas = element("canvas", {
      width: WIDTH2,
      height: HEIGHT2,
      role: "img",
      "aria-label": `histogram of the ${what}`
    });
    const context = canvas.getContext("2d");
    const most = Math.log1p(Math.max(...bins));
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
    bins.forEach((count, bin) => {
      const height = Math.log1p(count) / most * HEIGHT2;
      context.fillRect(bin * WIDTH2 / bins.length, HEIGHT2 - height, WIDTH2 / bins.length - 1, height);
    });
    const facts = table(
      ["count", "smallest", "mean", "std", "largest", "zeros"],
      [[String(all), smallest, mean2, std, largest2, `${format(100 * zeros2 / all, 3)} %`]],
      `about the ${what}`
    );
    facts.classList.add("facts");
    const caption = `from ${format(smallest)} to ${format(largest2)}; heights are logarithms of counts`;
    return element("div", {}, facts, element("figure", {}, canvas, element("figcaption", {}, caption)));
  }

  // view/layer_page.js
  function aboutLayer(state, n, engine, classes, choose) {
    const layer = state.network.layers[n];
    const parts = [element("p", {}, layer.sentence ?? ""), element("p", {}, element("code", {}, layer.title))];
    if (layer.sizes?.length) parts.push(titled("Sizes", pre(layer.sizes.join("\n"))));
    if (layer.receptiveField) {
      const { receptiveField: side, jump } = layer;
      parts.push(
        element("p", {}, `A pixel sees ${side} × ${side} pixels of the picture; from one to the next are ${jump}.`)
      );
    }
    if (engine) parts.push(titled("Formulas", pre(`${engine.formula}
${engine.gradient}`)));
    if (n < state.network.end) parts.push(...distribution(state, n), ...attention(state, n, classes[state.target]));
    for (const name of ["weight", "bias"]) if (layer[name]) parts.push(parameter(state, n, name, choose));
    if (layer.code) parts.push(titled("In minialex", ...code(layer)));
    return element("div", {}, ...parts);
  }
  function distribution({ network, backward }, n) {
    const kind = backward ? "gradients" : "values";
    return [titled(backward ? "Gradients" : "Values", histogram(network.summary(kind, n), kind))];
  }
  function attention(state, n, name) {
    const [, height, width] = state.network.layers[n].output;
    if (n === 0) return [titled("Occlusion", occlusionOf(state, name))];
    return height * width > 1 ? [titled("Grad-CAM", gradCamOf(state, n, name))] : [];
  }
  var titled = (title, ...content) => element("section", {}, element("h3", {}, title), ...content);
  var pre = (text) => element("pre", { tabindex: 0, role: "group", "aria-label": "text that may scroll" }, text);
  function code(layer) {
    const described = layer.formulas ? [pre(layer.formulas)] : [];
    return [
      ...described,
      ...layer.code.map(
        ({ file, line, code: text }) => element("details", {}, element("summary", {}, `${file}, line ${line}`), pre(text))
      )
    ];
  }
  var product = (numbers) => numbers.reduce((all, n) => all * n, 1);
  var unraveled = (k, shape) => shape.map((n, axis) => Math.floor(k / product(shape.slice(axis + 1))) % n);
  function filterTiles([filters2, maps2, height, width]) {
    const tiles = (scale) => {
      const together = Math.max(1, Math.min(filters2, Math.floor(640 / (maps2 * (width * scale + 1)))));
      return { count: filters2 * maps2, height, width, columns: maps2 * together, scale, gap: 1 };
    };
    const fits = ({ count, columns, scale }) => Math.ceil(count / columns) * (height * scale + 1) <= 320;
    return [6, 5, 4, 3].map(tiles).find(fits) ?? tiles(2);
  }
  function tilesOf(shape) {
    if (shape.length === 4) return filterTiles(shape);
    if (shape.length === 3) return { count: shape[0], height: shape[1], width: shape[2], columns: 16, scale: 4, gap: 1 };
    if (shape.length === 1) return { count: shape[0], height: 1, width: 1, columns: 32, scale: 12, gap: 1 };
    const [height, width] = shape.length === 2 ? shape : [product(shape.slice(0, -3)), product(shape.slice(-3))];
    const scale = Math.max(1, Math.min(6, Math.floor(600 / Math.max(height, width))));
    return { count: 1, height, width, columns: 1, scale };
  }
  function parameter(state, n, name, choose) {
    const { backward, network } = state;
    const { shape, summary: isLarge } = network.layers[n][name];
    const summary = network.summary(backward ? "parameterGradients" : "parameters", n, name);
    const what = `${backward ? "gradients of the " : ""}${name}, ${shape.join(" × ")}`;
    const title = what[0].toUpperCase() + what.slice(1);
    if (!summary) return titled(title, element("p", {}, "This parameter is not learned: it has no gradient."));
    if (isLarge) return titled(title, histogram(summary, what));
    const key = `orange: positive, blue: negative; full colour: ±${format(sizeOf(summary))}`;
    return titled(
      title,
      histogram(summary, what),
      element("p", { class: "small" }, key),
      element("div", { class: "scrolls tall" }, pictureOf2(state, n, name, what, choose))
    );
  }
  var sizeOf = ({ smallest, largest: largest2 }) => Math.max(Math.abs(smallest), Math.abs(largest2));
  function pictureOf2(state, n, name, what, choose) {
    const { backward, network, chosen: chosen2 } = state;
    const { shape, data } = network.layers[n][name];
    const numbers = backward ? network.parameterGradients[n][name] : data;
    const options = tilesOf(shape);
    const { height, width } = options;
    const isChosen = chosen2.layer === n && chosen2.parameter === name;
    const k = isChosen ? chosen2.at.reduce((index, place2, axis) => index * shape[axis] + place2, 0) : 0;
    const [tile, y, x] = placeOf([0, height, width], k);
    const onpick = (...at) => {
      choose({ layer: n, parameter: name, at: unraveled(indexOf([0, height, width], at), shape) });
    };
    const label = `${what}: arrow keys choose one`;
    const tiles = new Tiles({ ...options, label, onpick, chosen: () => [tile, y, x] });
    const color = twoColors(numbers);
    tiles.draw((i) => color(numbers[i]), isChosen ? [{ tile, rows: [y, y], columns: [x, x] }] : []);
    return tiles.canvas;
  }

  // view/stepper.js
  var PAUSE2 = 700;
  var Stepper = class {
    constructor(state, choose) {
      Object.assign(this, { state, choose });
      const button = (text, onclick) => element("button", { type: "button", onclick }, text);
      this.back = button("one step back", () => this.step(-1));
      this.play = button("play", () => this.timer ? this.stop() : this.start());
      this.next = button("one step on", () => this.step(1));
      const where = element("span", { class: "small" }, "row by row, and map by map");
      this.element = element("p", { class: "stepper" }, this.back, this.play, this.next, where);
    }
    /** The place that is `count` steps further, row by row and map by map; null beyond the ends. */
    from(count) {
      const { chosen: chosen2, network } = this.state;
      const shape = network.layers[chosen2.layer].output;
      const k = indexOf(shape, chosen2.at) + count;
      return k >= 0 && k < size(shape) ? placeOf(shape, k) : null;
    }
    step(count) {
      const at = this.from(count);
      if (at) this.choose({ layer: this.state.chosen.layer, at });
    }
    start() {
      this.timer = setInterval(() => this.step(1), PAUSE2);
      this.update();
    }
    stop() {
      clearInterval(this.timer);
      this.timer = null;
      this.update();
    }
    /** Only values have a next one; a layer or a weight ends the play, as does the last place, or another view. */
    update() {
      const { chosen: chosen2, view } = this.state;
      const isValue = Boolean(chosen2.at) && !chosen2.parameter;
      this.element.hidden = !isValue;
      if (this.timer && (view || !isValue || !this.from(1))) this.stop();
      this.play.textContent = this.timer ? "pause" : "play";
    }
  };

  // view/panel.js
  var SERVED = "python -m minialex.explore RUN";
  var Panel = class {
    constructor(state, classes, choose) {
      Object.assign(this, { state, classes, choose });
      this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
      this.content = element("div");
      this.stepper = new Stepper(state, choose);
      const parts = [this.heading, this.stepper.element, this.content];
      this.element = element("section", { class: "panel", "aria-label": "explanation" }, ...parts);
    }
    focus = () => this.heading.focus();
    fill = (...content) => refill(this.content, content, this.heading);
    /** The explanation of what is chosen; null for a layer. */
    explanation() {
      const { network, backward, chosen: chosen2 } = this.state;
      const { layer, at, parameter: parameter2 } = chosen2;
      if (!at) return null;
      if (parameter2) return network.explainParameter(layer, parameter2, at);
      return backward ? network.explainGradient(this.receiver(), at) : network.explain(layer, at);
    }
    /** The layer whose gradient is shown: at the probabilities that of the logits, with which backward begins. */
    receiver() {
      const { network, chosen: chosen2 } = this.state;
      return chosen2.layer === network.end ? network.layers[network.end].sources[0] : chosen2.layer;
    }
    update(explanation, marks) {
      const { network, chosen: chosen2 } = this.state;
      const layer = network.layers[chosen2.layer];
      this.stepper.update();
      this.heading.setAttribute("aria-live", this.stepper.timer ? "off" : "polite");
      if (chosen2.at && !explanation) {
        this.heading.textContent = this.headingOf(layer);
        this.fill(...this.unknown(layer));
      } else if (!chosen2.at) {
        this.heading.textContent = layer.name;
        this.fill(aboutLayer(this.state, chosen2.layer, KINDS[layer.kind], this.classes, this.choose));
      } else if (chosen2.parameter) this.showParameter(layer, explanation);
      else this.showValue(layer, explanation, marks);
    }
    about(layer) {
      const onclick = () => this.choose({ layer });
      return element(
        "p",
        {},
        element("button", { type: "button", onclick }, `about the layer ${this.state.network.layers[layer].name}`)
      );
    }
    /** "conv1, map 3, row 4, column 5: 1.234", with a ≈ where the page knows the number to 8 bits only. */
    headingOf(layer) {
      const { network, backward, chosen: chosen2 } = this.state;
      const { at, parameter: parameter2 } = chosen2;
      if (parameter2) return `${layer.name}, ${parameter2} [${at.join(", ")}]`;
      const place2 = chosen2.layer === network.end ? `class ${this.classes[at[0]]}` : placeText(at, layer.output);
      const n = backward ? this.receiver() : chosen2.layer;
      const number = format(backward ? network.gradientAt(n, at) : network.valueAt(n, at));
      const sign = network.isExact(backward ? "gradients" : "values", n, at) ? "" : "≈ ";
      return `${backward ? "Gradient at " : ""}${network.layers[n].name}, ${place2}: ${sign}${number}`;
    }
    /** Where the numbers of a place are not there: when they come, or where to find them. */
    unknown(layer) {
      const { network, chosen: chosen2 } = this.state;
      if (network.isLive) return [element("p", {}, "minialex computes what this number is made of …")];
      const places2 = network.explainedIn(chosen2.layer).map((at) => {
        const onclick = () => this.choose({ layer: chosen2.layer, at });
        return element("button", { type: "button", onclick }, shortPlace(layer, at));
      });
      const here = `--explain ${layer.name}:${chosen2.at.join(",")}`;
      return [
        element("p", {}, "This page, of a large network, has the numbers behind some places only. ", ...places2),
        element("p", {}, "Every place is explained in the page that is served, by ", element("code", {}, SERVED), "; "),
        element(
          "p",
          {},
          "or written into a page for this one: ",
          element("code", {}, `${SERVED} --out page.html ${here}`)
        ),
        this.about(chosen2.layer)
      ];
    }
    showValue(layer, explanation, marks) {
      const { network, backward, chosen: chosen2 } = this.state;
      this.heading.textContent = this.headingOf(layer);
      this.fill(
        figuresOf(this.state, explanation, marks, this.choose),
        element("p", {}, fromText(explanation, network.layers)),
        ...this.formulas(backward).map((text) => element("pre", { class: "formula" }, text)),
        element(
          "div",
          { class: "numbers" },
          stepsOf(explanation),
          termsOf(explanation, network.layers, this.choose) ?? ""
        ),
        this.followers(explanation) ?? "",
        this.about(chosen2.layer)
      );
    }
    /** The formula of the value, or of its gradient by each layer that uses it. */
    formulas(backward) {
      const { network, chosen: chosen2 } = this.state;
      if (!backward) return chosen2.layer ? [network.of(chosen2.layer).formula] : [];
      return network.users[this.receiver()].map((user) => `${network.layers[user].name}: ${network.of(user).gradient}`);
    }
    /** Where a value goes to, as buttons; its gradient's terms name these places themselves. */
    followers() {
      const { network, backward, chosen: chosen2 } = this.state;
      if (backward || chosen2.layer === network.end) return null;
      const buttons = network.users[chosen2.layer].flatMap((user) => {
        const terms = network.explainGradient(chosen2.layer, chosen2.at).terms.filter(({ layer, at }) => layer === user && at);
        const target = terms.sort((a, b) => Math.abs(b.factor) - Math.abs(a.factor))[0];
        if (!target) return [];
        const text = shortPlace(network.layers[user], target.at);
        const onclick = () => this.choose({ layer: user, at: target.at });
        return [
          element("button", { type: "button", onclick }, text),
          terms.length > 1 ? ` and ${terms.length - 1} more of ${network.layers[user].name} ` : " "
        ];
      });
      return element("p", {}, "used by ", ...buttons);
    }
    showParameter(layer, explanation) {
      const { network, chosen: chosen2 } = this.state;
      const { at, parameter: parameter2 } = chosen2;
      const index = at.reduce((k, n, axis) => k * layer[parameter2].shape[axis] + n, 0);
      const numbers = `${format(layer[parameter2].data[index])}, its gradient ${format(total(explanation.terms))}`;
      this.heading.textContent = `${this.headingOf(layer)}: ${numbers}`;
      this.fill(
        stepsOf(explanation),
        termsOf({ ...explanation, grid: [1, 1] }, network.layers, this.choose),
        aboutLayer(this.state, chosen2.layer, KINDS[layer.kind], this.classes, this.choose)
      );
    }
  };

  // view/strip.js
  var CLASSES = 10;
  var Strip = class {
    /** choose(chosen): called with what is pressed. enter(): called where the keyboard asks for the explanation. */
    constructor(state, classes, choose, enter) {
      Object.assign(this, { state, classes, choose, enter });
      this.columns = state.network.layers.map((layer, n) => this.column(layer, n));
      const label = "the layers, from the picture to the probabilities";
      this.element = element(
        "div",
        { class: "strip", role: "group", "aria-label": label },
        ...this.columns.map((c) => c.element)
      );
    }
    column(layer, n) {
      const isEnd = n === this.state.network.end;
      const heading = element("button", { type: "button", onclick: () => this.choose({ layer: n }) }, layer.name);
      const kind = layer.title.split("(")[0];
      const about = element(
        "p",
        { class: "small" },
        n && !isEnd ? `${kind}, ${shapeText(layer.output)}` : shapeText(layer.output)
      );
      const legend = element("p", { class: "small" });
      const column = { heading, legend };
      const onpick = (...at) => this.choose({ layer: n, at });
      const label = `${layer.name}: arrow keys choose a pixel, Page Up and Page Down a map, Enter explains it`;
      const options = {
        ...arrangement(layer.output),
        label,
        onpick,
        chosen: () => this.state.placeIn(n),
        onenter: this.enter
      };
      if (isEnd) column.bars = element("ul", { class: "bars" });
      else column.tiles = new Tiles(options);
      column.element = element(
        "section",
        { class: "layer" },
        element("h2", {}, heading),
        about,
        column.bars ?? column.tiles.canvas,
        legend
      );
      return column;
    }
    /** Scroll to the chosen layer, sideways only. */
    reveal() {
      const { chosen: chosen2 } = this.state;
      const { element: element2, tiles } = this.columns[chosen2.layer];
      const { scrollLeft, clientWidth } = this.element;
      let [left, right] = [element2.offsetLeft - 16, element2.offsetLeft + element2.offsetWidth + 16];
      if (right - left > clientWidth && tiles) {
        const [x] = chosen2.at && !chosen2.parameter ? tiles.corner(...chosen2.at) : [0];
        [left, right] = [left + x, left + x + Math.min(80, clientWidth)];
      }
      if (left < scrollLeft) this.element.scrollLeft = left;
      else if (right > scrollLeft + clientWidth) this.element.scrollLeft = right - clientWidth;
    }
    /** Draw everything anew; marks: of view/marks.js. */
    update(marks) {
      const { network, backward, chosen: chosen2 } = this.state;
      this.columns.forEach(({ heading, tiles, legend, bars }, n) => {
        heading.setAttribute("aria-pressed", chosen2.layer === n);
        if (bars) return this.drawBars(bars, legend);
        const numbers = backward ? network.gradients[n] : network.values[n];
        const color = backward ? twoColors(numbers, true) : greys(numbers);
        tiles.draw(
          (k) => color(numbers[k]),
          marks.filter(({ layer }) => layer === n),
          numbers
        );
        const [low, high] = rangeOf(numbers);
        const full = backward && fullColor(numbers);
        const beyond = full < Math.max(-low, high) ? " and beyond" : "";
        legend.textContent = backward ? `full colour: ±${format(full)}${beyond}` : `black ${format(low)}, white ${format(high)}`;
      });
    }
    drawBars(bars, legend) {
      const { network, backward, target, chosen: chosen2 } = this.state;
      const p = network.values[network.end];
      const order = Array.from(p.keys()).sort((a, b) => p[b] - p[a]).slice(0, CLASSES);
      if (!order.includes(target)) order.push(target);
      const logits = network.gradients[network.layers[network.end].sources[0]];
      const most = backward ? Math.max(...logits.map(Math.abs)) || 1 : 1;
      refill(
        bars,
        order.map((i) => {
          const bar = element("span", { class: backward && logits[i] < 0 ? "bar negative" : "bar" });
          bar.style.width = `${100 * Math.abs(backward ? logits[i] : p[i]) / most}%`;
          const text = `${this.classes[i]} ${backward ? format(logits[i]) : percent(p[i])}`;
          const isChosen = chosen2.layer === network.end && chosen2.at?.[0] === i;
          const options = {
            type: "button",
            "aria-pressed": isChosen,
            onclick: () => this.choose({ layer: network.end, at: [i, 0, 0] })
          };
          return element("li", { class: i === target ? "target" : "" }, element("button", options, text, bar));
        })
      );
      legend.textContent = backward ? "p − q: the gradient at the logits" : "bold: the class of the loss";
    }
  };

  // view/explorer.js
  var HELP2 = "Press a pixel, or the name of a layer. By keyboard: Tab goes from layer to layer, in its maps the arrow keys choose a pixel, Page Up and Page Down a map, and Enter leads to the explanation; elsewhere the arrow keys lead through the steps of what is shown below.";
  var Explorer = class {
    /** gallery: where more pictures come from, see more_pictures.js; null: there are no more. */
    constructor(place2, state, { title, classes, reading, served }, gallery) {
      Object.assign(this, { state, classes, reading, served, gallery });
      this.strip = new Strip(state, classes, this.choose, () => this.panel.focus());
      this.panel = new Panel(state, classes, this.choose);
      this.said = element("p", { role: "status" });
      if (state.timeline) this.addTraining();
      this.below = new Below(state, classes, this.panel.element, {
        choose: this.choose,
        update: () => this.update(),
        remember: () => this.remember()
      });
      const choices = [this.pictureChoice(), this.direction(), this.classChoice()];
      this.controls = [...choices, this.epochs?.element ?? "", this.below.choice];
      place2.append(
        element(
          "header",
          {},
          element("h1", {}, title),
          this.said,
          element("p", { class: "small" }, HELP2),
          element("div", { class: "controls" }, ...this.controls)
        ),
        this.strip.element,
        this.confusion?.element ?? "",
        this.below.element
      );
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
        this.update();
        this.below.redraw();
      });
      addEventListener("hashchange", () => this.follow(state.read()));
      this.update();
    }
    /** Show the state when it is there: at once, or when minialex has computed it. */
    follow(done) {
      if (!(done instanceof Promise)) return this.update();
      this.said.textContent = "minialex computes …";
      return done.then(() => this.update(), this.say);
    }
    say = ({ message }) => this.said.textContent = message;
    /** The weights of several epochs, and what they take test pictures for. */
    addTraining() {
      const { state, classes, reading } = this;
      this.epochs = new Epochs(state.timeline, (number) => {
        state.goTo(number);
        this.update();
      });
      const open = (picture) => this.add({ ...picture, input: normalized(picture.pixels, reading) });
      this.confusion = new Confusion(state.timeline, classes, state.pictures[0].shape, reading && open);
    }
    /** Choose a layer, a value or a weight; see view/state.js. */
    choose = (chosen2) => {
      this.state.chosen = chosen2;
      this.below.chosen();
      this.update();
    };
    pictureChoice() {
      this.pictures = this.state.pictures.map((_, number) => this.pictureButton(number));
      this.end = this.gallery ? this.more() : element("span");
      return element("fieldset", {}, element("legend", {}, "Picture"), ...this.pictures, this.end);
    }
    more() {
      const [, side] = this.state.network.layers[0].output;
      return morePictures(this.gallery, side, this.served?.pictures, (coming) => this.add(coming));
    }
    pictureButton(number) {
      const { pixels, shape } = this.state.pictures[number];
      const [, height, width] = shape;
      const scale = Math.max(1, Math.round(48 / height));
      const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, gap: 0, label: "" });
      const area = height * width;
      tiles.draw((k) => [pixels[k], pixels[area + k], pixels[2 * area + k]]);
      tiles.canvas.setAttribute("aria-hidden", "true");
      const label = this.captionOf(number);
      const onclick = () => this.follow(this.state.show(number));
      return element("button", { type: "button", "aria-label": label, title: label, onclick }, tiles.canvas);
    }
    /** Show another picture, or a promise of one; one that is there already is only chosen. */
    add(picture) {
      if (picture instanceof Promise) {
        this.said.textContent = "reading the picture …";
        return picture.then((come) => this.add(come), this.say);
      }
      const { pictures } = this.state;
      const known = pictures.findIndex(({ caption, label }) => label !== null && caption === picture.caption);
      const number = known < 0 ? pictures.push(picture) - 1 : known;
      if (known < 0) {
        this.pictures.push(this.pictureButton(number));
        this.end.before(this.pictures.at(-1));
      }
      return this.follow(this.state.show(number));
    }
    captionOf(number) {
      const { caption, label } = this.state.pictures[number];
      return label === null ? caption : `${caption}: ${this.classes[label]}`;
    }
    direction() {
      const button = (text, backward) => {
        const onclick = () => {
          this.state.backward = backward;
          this.update();
        };
        return element("button", { type: "button", onclick }, text);
      };
      this.directions = [button("Forwards: values", false), button("Backwards: gradients", true)];
      return element("fieldset", {}, element("legend", {}, "Direction"), ...this.directions);
    }
    classChoice() {
      const onchange = () => {
        this.follow(this.state.loseOn(Number(this.select.value)));
      };
      const options = this.classes.map((name, i) => element("option", { value: i }, name));
      const disabled = !this.state.network.isLive;
      this.select = element("select", { id: "target", onchange, disabled }, ...options);
      const label = element("label", { for: "target" }, "class of the loss ");
      return element("fieldset", {}, element("legend", {}, "Loss"), label, this.select);
    }
    update() {
      const { state, classes } = this;
      const p = state.network.values[state.network.end];
      const best = argmax(p);
      this.said.textContent = `${this.captionOf(state.picture)}. The network says ${classes[best]}, ${percent(p[best])}. The loss of ${classes[state.target]} is ${format(state.loss)}.`;
      this.pictures.forEach((button, number) => button.setAttribute("aria-pressed", number === state.picture));
      this.directions.forEach((button, k) => button.setAttribute("aria-pressed", Boolean(k) === state.backward));
      this.select.value = state.target;
      this.askFor(state.chosen);
      this.epochs?.update();
      this.confusion?.update();
      const explanation = this.panel.explanation();
      const marks = explanation ? marksOf(state, explanation) : [];
      const field2 = state.chosen.at && !state.chosen.parameter ? this.fieldMarks() : [];
      this.strip.update([...marks, ...field2]);
      this.strip.reveal();
      this.panel.update(explanation, marks);
      this.below.update();
      this.remember();
    }
    /** Keep what is shown in the page's address. */
    remember() {
      const { state } = this;
      if (location.protocol !== "about:") history.replaceState(null, "", state.address);
    }
    /** Where the page does not know what explains the chosen place, ask for it; it is shown when it has come. */
    askFor(chosen2) {
      const waitingFor = JSON.stringify([this.state.picture, this.state.target, chosen2]);
      if (waitingFor === this.waitingFor) return;
      const asked = this.state.network.ask(chosen2);
      if (!asked) return;
      this.waitingFor = waitingFor;
      asked.then(() => this.update(), this.say).finally(() => this.waitingFor = null);
    }
    /** What the chosen value sees of the picture, in each of its maps. */
    fieldMarks() {
      const { network, chosen: chosen2, backward } = this.state;
      if (backward || chosen2.layer === 0) return [];
      const field2 = network.receptiveField(chosen2.layer, chosen2.at).find(({ layer }) => layer === 0);
      return Array.from({ length: network.layers[0].output[0] }, (_, tile) => ({ ...field2, tile }));
    }
  };

  // view/state.js
  var VIEW = /^(training|windows)(?:=(\d+))?$/;
  var State = class {
    /** timeline: of web/timeline.js, where the weights of several epochs are known. */
    constructor(network, pictures, timeline = null) {
      Object.assign(this, { network, pictures, timeline, picture: 0, backward: false, view: null, chosen: { layer: 1 } });
      this.ready = after(this.show(0), () => {
        this.chosen = { layer: 1, at: this.largest(1) };
        return this.read();
      });
    }
    /**
     * Compute everything for a picture; its loss is that of its class, or of the predicted one where it is not known.
     *
     * Returns a promise where the page does not compute it; so does loseOn.
     */
    show(number) {
      return after(this.network.show(this.pictures[number]), (p) => {
        this.picture = number;
        return this.loseOn(this.pictures[number].label ?? argmax(p));
      });
    }
    loseOn(target) {
      return after(this.network.backward(target), (loss) => Object.assign(this, { target, loss }));
    }
    /** Show the weights of another epoch, for the same picture and class; number: of the timeline's entry. */
    goTo(number) {
      this.timeline.go(number);
      this.network.forward(this.pictures[this.picture].input);
      this.loseOn(this.target);
    }
    /** The place of the largest value of a layer. */
    largest(layer) {
      return placeOf(this.network.layers[layer].output, argmax(this.network.values[layer]));
    }
    /** The place from which the keyboard moves in a layer. */
    placeIn(layer) {
      const { chosen: chosen2 } = this;
      return chosen2.layer === layer && chosen2.at && !chosen2.parameter ? chosen2.at : this.largest(layer);
    }
    /** "#conv2:5,3,7;backward;picture=1", "#conv2:5,3,7;windows", "#conv2;training=12": a place that one can link to. */
    get address() {
      const { layer, at, parameter: parameter2 } = this.chosen;
      const place2 = [encodeURIComponent(this.network.layers[layer].name), parameter2, at?.join(",")].filter(Boolean).join(":");
      const view = this.view ? `;${this.view.name}${this.view.at ? `=${this.view.at}` : ""}` : "";
      const epoch = this.timeline ? `;epoch=${this.timeline.epoch}` : "";
      const picture = this.picture ? `;picture=${this.picture}` : "";
      return `#${place2}${this.backward ? ";backward" : ""}${view}${picture}${epoch}`;
    }
    /** Go to the place of the page's address, as far as it exists. */
    read() {
      const [place2, ...options] = location.hash.slice(1).split(";");
      const picture = Number(options.find((option) => option.startsWith("picture="))?.slice(8) ?? 0);
      const epoch = options.find((option) => option.startsWith("epoch="))?.slice(6);
      const entry = this.timeline?.epochs.indexOf(Number(epoch)) ?? -1;
      if (entry >= 0 && entry !== this.timeline.at) this.goTo(entry);
      const isOther = picture !== this.picture && this.pictures[picture];
      return after(isOther ? this.show(picture) : null, () => this.readPlace(place2, options));
    }
    readPlace(place2, options) {
      if (place2 || options.length) this.backward = options.includes("backward");
      const view = options.map((option) => VIEW.exec(option)).find(Boolean);
      this.view = view ? { name: view[1], at: Number(view[2] ?? 0) } : null;
      const [name, ...rest] = place2.split(":");
      const layer = this.network.layers.findIndex((known) => encodeURIComponent(known.name) === name);
      if (layer < 0) return;
      const at = rest.at(-1)?.split(",").map(Number);
      const parameter2 = rest.length === 2 ? rest[0] : void 0;
      const shape = parameter2 ? this.network.layers[layer][parameter2]?.shape : this.network.layers[layer].output;
      const exists2 = at && shape && at.length === shape.length && at.every((n, k) => Number.isInteger(n) && n >= 0 && n < shape[k]);
      this.chosen = exists2 ? { layer, at, parameter: parameter2 } : { layer };
    }
  };

  // main.js
  function networkOf({ layers, pictures, results, computes }) {
    if (computes) return new Network(layers);
    return new Computed(layers, results ? new Carried(pictures, results) : new Served());
  }
  function galleryOf({ served, reading, layers }) {
    if (served) return servedPictures;
    return reading && localPictures(reading, layers[0].output[1]);
  }
  function explore(place2, data) {
    const network = networkOf(data);
    const timeline = data.timeline && new Timeline(data.timeline, data.layers);
    const state = new State(network, data.pictures, timeline);
    const shown = after(state.ready, () => {
      place2.replaceChildren();
      const { below } = new Explorer(place2, state, data, galleryOf(data));
      globalThis.explorer = { network, state, below, gradCam, occlusion };
    });
    if (shown instanceof Promise) {
      place2.textContent = "minialex computes the first picture …";
      shown.catch((error) => {
        place2.textContent = error.message;
        throw error;
      });
    }
  }
  var given = JSON.parse(document.getElementById("network").textContent);
  var place = document.getElementById("explorer");
  if (given.trace) tracePage(place, given);
  else if (given.block) blockPage(place, given);
  else explore(place, decoded(given));
})();
