// Made of the modules in web/ by npm run build there; their SHA-256 is 00f7efdb088a80cda98f710e6d7e8adacdb02928de21a6021a9fed3694a88b2d
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
  function decoded(data2) {
    const layers = data2.layers.map((layer) => {
      const arrays = {};
      for (const name of ["weight", "bias"]) {
        if (layer[name]) arrays[name] = { ...layer[name], data: layer[name].data && floatsOf(layer[name].data) };
      }
      for (const name of ["mean", "variance"]) if (layer[name]) arrays[name] = floatsOf(layer[name]);
      for (const name of ["from", "to"]) if (layer[name]) arrays[name] = integersOf(layer[name]);
      return { ...layer, ...arrays };
    });
    const pictures = data2.pictures.map(decodedPicture);
    const reading = data2.reading && { ...data2.reading, mean: floatsOf(data2.reading.mean) };
    return { ...data2, layers, pictures, reading };
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
    boxes: explained.boxes.map((box) => ({ ...box, data: box.data && floatsOf(box.data) }))
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
  function gradCam(network2, n, target) {
    const seed = network2.logits.map((_, i) => i === target ? 1 : 0);
    const gradient = network2.backwardFrom(seed).gradients[n];
    const [channels, height, width] = network2.layers[n].output;
    const area = height * width;
    const sums = new Float64Array(area);
    for (let c = 0; c < channels; c++) {
      let weight = 0;
      for (let k = 0; k < area; k++) weight += gradient[c * area + k] / area;
      for (let k = 0; k < area; k++) sums[k] += weight * network2.values[n][c * area + k];
    }
    return Float32Array.from(sums, (sum2) => Math.max(0, sum2));
  }
  function* occlusion(network2, picture, target, side, stride) {
    const [channels, height, width] = network2.layers[0].output;
    const other = network2.copy();
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
  function elementwise(formula, gradient, f, derivative) {
    return {
      formula,
      gradient,
      forward: (layer, [x]) => Float32Array.from(x, (value) => f(layer, value)),
      backward: (layer, [x], y, gy) => ({ inputs: [Float32Array.from(gy, (g, k) => g * derivative(layer, x[k]))] }),
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
        return [{ at, value: gy[k], factor, product: gy[k] * factor }];
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
    return candidates.reduce((best, k) => x[k] > x[best] || x[k] !== x[k] && x[best] === x[best] ? k : best);
  }
  var maxPool2d = {
    formula: "y[c, i, j] = the largest x[c, i s + u d - p, j s + v d - p] over u, v",
    gradient: "gx[c, y, x] = sum of the gy[c, i, j] whose window it wins: the first of equal ones",
    forward(layer, [x]) {
      layer.winners = Int32Array.from(zeros(layer.output), (_, k) => winner(layer, x, placeOf(layer.output, k)));
      return Float32Array.from(layer.winners, (from) => x[from]);
    },
    backward(layer, [x], y, gy) {
      const gx = zeros(layer.inputs[0]);
      layer.winners.forEach((from, k) => gx[from] += gy[k]);
      return { inputs: [rounded(gx)] };
    },
    explain(layer, [x], at) {
      const won = winner(layer, x, at);
      const terms = under(layer, at).map((place2) => {
        const k = indexOf(layer.inputs[0], place2);
        return { input: 0, at: place2, map: at[0], value: x[k], factor: k === won ? 1 : 0, product: k === won ? x[k] : 0 };
      });
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
        const factor = winner(layer, x, place2) === k ? 1 : 0;
        return { at: place2, value, factor, product: value * factor };
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

  // engine/network.js
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
  var summed = (terms) => [[`sum of ${counted(terms, "term")}`, total(terms)]];
  var Network = class _Network {
    constructor(layers) {
      this.layers = layers;
      this.end = layers.length - 1;
      this.users = layers.map((_, n) => layers.flatMap((layer, user) => layer.sources.includes(n) ? [user] : []));
    }
    /** The same network, to be at work on another picture. */
    copy = () => new _Network(this.layers.map((layer) => ({ ...layer })));
    of = (n) => KINDS[this.layers[n].kind];
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
    get logits() {
      return this.values[this.layers[this.end].sources[0]];
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
        const given = [this.layers[n], this.inputsOf(n), this.values[n], gradients[n]];
        const { inputs, parameters = {} } = this.of(n).backward(...given);
        this.layers[n].sources.forEach((source, k) => inputs[k].forEach((g, i) => sums[source][i] += g));
        parameterGradients[n] = parameters;
      }
      gradients[0] = rounded(sums[0]);
      return { gradients, parameterGradients };
    }
    /** What explains the gradient behind layer n: that of its output; behind softmax, the class of the loss. */
    arriving = (n) => n === this.end ? this.target : this.gradients[n];
    valueAt = (n, at) => this.values[n][indexOf(this.layers[n].output, at)];
    gradientAt = (n, at) => this.gradients[n][indexOf(this.layers[n].output, at)];
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
          const given = [this.layers[user], this.inputsOf(user), this.outputOf(user), this.arriving(user), input, at];
          return this.of(user).explainGradient(...given).map((term) => ({ layer: user, ...term }));
        })
      );
      return { terms, columns: { value: "gy", factor: "dy/dx", product: "product" }, steps: summed(terms) };
    }
    /** From which outputs the gradient of a weight or bias comes. */
    explainParameter(n, name, at) {
      const layer = this.layers[n];
      const terms = this.of(n).explainParameter(layer, this.inputsOf(n), this.arriving(n), name, at);
      terms.forEach((term) => term.layer = n);
      return { terms, columns: { value: "gy", factor: "dy/dw", product: "product" }, steps: summed(terms) };
    }
    // What a network that is computed elsewhere does otherwise: see computed.js.
    computes = true;
    // whether all its numbers are in the page
    isLive = true;
    // whether it answers whatever is asked: every place, any class of the loss, another picture
    /** A promise to know what explains a place; null: it is known, or cannot be had. */
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
          const box = [0, 1].map((axis) => this.seenOf(user, source, axis, seen2[user][axis]));
          const known = seen2[source] ?? box;
          seen2[source] = box.map(([a, b], axis) => [Math.min(a, known[axis][0]), Math.max(b, known[axis][1])]);
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
  function fill(array, shape, box, numbers) {
    let k = 0;
    const along = (axis, index) => {
      for (let i = box[axis][0]; i < box[axis][1]; i++) {
        const at = index * shape[axis] + i;
        if (axis + 1 < shape.length) along(axis + 1, at);
        else array[at] = numbers[k++];
      }
    };
    along(0, 0);
  }

  // engine/computed.js
  var keyOf = ({ layer, parameter: parameter2, at }) => `${layer}:${parameter2 ?? ""}:${at}`;
  var Computed = class extends Network {
    constructor(layers, source) {
      super(layers);
      this.source = source;
      this.computes = false;
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
      for (const { of, layer: n, box, data: data2 } of boxes2) {
        const { weight, output } = this.layers[n];
        if (data2 && of === "weight") fill(weight.data, weight.shape, box, data2);
        else if (data2) fill(this.exact[of][n], output, box, data2);
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
      const { summary } = kind === "parameters" ? this.layers[n][name] : {};
      if (kind === "parameters") return summary ?? super.summary(kind, n, name);
      return name ? this.summaries[kind][n][name] : this.summaries[kind][n];
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
    const shades = [NEGATIVE, POSITIVE].map((color) => Array.from({ length: 256 }, (_, k) => mixed(zero, color, k / 255)));
    const shade = (x) => Math.round(255 * Math.min(1, Math.abs(x) / most));
    return (x) => isFinite(x) ? shades[Number(x >= 0)][shade(x)] : NOT_FINITE;
  }
  function behind(x, most) {
    const share = 0.35 * Math.min(1, Math.abs(x) / (most || 1)) || 0;
    return `rgba(${x < 0 ? NEGATIVE : POSITIVE}, ${share.toFixed(3)})`;
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
      const box = this.canvas.getBoundingClientRect();
      const x = (event.clientX - box.left) * this.canvas.width / box.width - this.gap;
      const y = (event.clientY - box.top) * this.canvas.height / box.height - this.gap;
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

  // view/confusion.js
  var NUMBERS = 20;
  var SIDE = 64;
  var counted2 = (count) => `${count.toLocaleString("en")} picture${count === 1 ? "" : "s"}`;
  var sum = (numbers) => numbers.reduce((total2, n) => total2 + n, 0);
  var Confusion = class {
    /** open(picture): called with a picture of a cell that is pressed; null where the page cannot compute it. */
    constructor(timeline2, classes, shape, open) {
      Object.assign(this, { timeline: timeline2, classes, shape, open });
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
      const { timeline: timeline2, classes } = this;
      const counts = timeline2.counts(classes.length);
      const right = sum(counts.map((row, i) => row[i]));
      const count = timeline2.labels.length;
      const after2 = `after ${timeline2.epoch} epoch${timeline2.epoch === 1 ? "" : "s"}`;
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
      const { timeline: timeline2 } = this;
      const all = timeline2.cell(i, j);
      const known = all.filter((k) => timeline2.pictures[k]).slice(0, timeline2.most);
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
    constructor(timeline2, go) {
      Object.assign(this, { timeline: timeline2, go });
      const last = timeline2.epochs.length - 1;
      const oninput = () => this.choose(Number(this.slider.value));
      this.slider = element("input", { type: "range", id: "epoch", min: 0, max: last, step: 1, oninput });
      this.play = element("button", { type: "button", onclick: () => this.timer ? this.stop() : this.start() });
      this.shown = element("output", { for: "epoch" });
      const label = element("label", { for: "epoch" }, "weights after ");
      const note = timeline2.note && element("span", { class: "small" }, timeline2.note);
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
  function drawing(side, gallery2, add2) {
    const label = "drawing: the arrow keys move the brush, with Shift they draw";
    const canvas = element("canvas", { width: side, height: side, tabindex: 0, role: "application", "aria-label": label });
    const shown2 = `${Math.max(side, Math.floor(SHOWN / side) * side)}px`;
    Object.assign(canvas.style, { width: shown2, height: shown2, touchAction: "none" });
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
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) * side / box.width, (event.clientY - box.top) * side / box.height];
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
      element("button", { type: "button", onclick: () => add2(gallery2.ofDrawing(drawnOn(canvas))) }, "show it")
    );
  }

  // view/more_pictures.js
  function morePictures(gallery2, side, count, add2) {
    const open = (file) => add2(gallery2.ofFile(file).catch((error) => Promise.reject(readable(error, file))));
    const fields = [fileField(open), element("details", {}, element("summary", {}, "draw one"), drawing(side, gallery2, add2))];
    if (count) fields.push(numberField(count, (number) => add2(gallery2.ofNumber(number))));
    return element("div", { class: "more" }, ...fields);
  }
  function readable(error, { name }) {
    return error.name === "Error" ? error : new Error(`${name} is no picture that this browser can read.`);
  }
  function fileField(open) {
    const onchange = () => field.files[0] && open(field.files[0]);
    const field = element("input", { type: "file", accept: "image/*", id: "own", onchange });
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
    });
    return element("label", { for: "own" }, "one of your own ", field);
  }
  function numberField(count, take) {
    const field = element("input", { type: "number", id: "number", min: 0, max: count - 1, value: 0 });
    const onsubmit = (event) => {
      event.preventDefault();
      take(field.valueAsNumber);
    };
    const label = element("label", { for: "number" }, `test image, 0 to ${count - 1} `);
    return element("form", { onsubmit }, label, field, element("button", { type: "submit" }, "take it"));
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
        ([field, name]) => grid(group, field, name, width, largestOf(terms, field), layers, go)
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
  function grid(group, field, name, width, most, layers, go) {
    const rows = [];
    for (let first = 0; first < group.length; first += width) {
      rows.push(
        element(
          "tr",
          {},
          ...group.slice(first, first + width).map((term) => {
            const text = format(term[field]);
            const target = field === "value" && term.at && { layer: term.layer, at: term.at };
            const content = target ? link(text, `${text}, ${shortPlace(layers[term.layer], term.at)}`, () => go(target)) : text;
            const cell = element("td", { class: term.at ? "number" : "number padding" }, content);
            cell.style.backgroundColor = behind(term[field], most);
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
    const made = sorted.map((term) => () => {
      const text = term.loss ? "the loss" : term.at ? shortPlace(layers[term.layer], term.at) : "padding";
      const place2 = term.at && !term.loss ? link(text, text, () => go({ layer: term.layer, at: term.at })) : text;
      const cells = fields.map((field) => element("td", { class: "number" }, format(term[field])));
      if (term.product !== void 0) cells.at(-1).style.backgroundColor = behind(term.product, most);
      return element("tr", {}, element("td", {}, place2), ...cells);
    });
    const head = element(
      "thead",
      {},
      element("tr", {}, ...["from", ...Object.values(names)].map((name) => element("th", { scope: "col" }, name)))
    );
    const body = element("tbody");
    const shown2 = shortened(body, made, TERMS, "terms");
    const whole = element("table", {}, head, body);
    const more = shown2 === body ? null : shown2.querySelector("button");
    return element(
      "div",
      {},
      element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": "the terms" }, whole),
      more
    );
  }
  var link = (text, label, onclick) => element("button", { type: "button", class: "link", "aria-label": label, onclick }, text);

  // view/figures.js
  var SIDE2 = 160;
  function figure(caption, [, height, width], color, marks, onpick, chosen2) {
    const scale = Math.max(1, Math.floor(SIDE2 / Math.max(height, width)));
    const label = `${caption}, enlarged: arrow keys choose a pixel`;
    const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, label, onpick, chosen: chosen2 });
    tiles.draw(
      color,
      marks.map((mark) => ({ ...mark, tile: 0 }))
    );
    return element("figure", {}, tiles.canvas, element("figcaption", {}, caption));
  }
  function mapFigure(state2, layer, map, marks, choose) {
    const { network: network2, backward } = state2;
    const { output, name } = network2.layers[layer];
    const all = backward ? network2.gradients[layer] : network2.values[layer];
    const area = output[1] * output[2];
    const color = backward ? twoColors(all, true) : greys(all);
    const here = marks.filter((mark) => mark.layer === layer && mark.tile === map);
    const chosen2 = () => [
      0,
      ...state2.chosen.layer === layer ? state2.chosen.at.slice(1) : [here[0]?.rows[0] ?? 0, here[0]?.columns[0] ?? 0]
    ];
    const onpick = (tile, y, x) => choose({ layer, at: [map, y, x] });
    return figure(`${name}, map ${map}`, output, (k) => color(all[map * area + k]), here, onpick, chosen2);
  }
  function pictureFigure(state2, choose) {
    const { network: network2, pictures, picture, chosen: chosen2 } = state2;
    const { pixels, shape } = pictures[picture];
    const area = shape[1] * shape[2];
    const field = network2.receptiveField(chosen2.layer, chosen2.at).find(({ layer }) => layer === 0);
    const color = (k) => [pixels[k], pixels[area + k], pixels[2 * area + k]];
    const map = chosen2.layer === 0 ? chosen2.at[0] : 0;
    const onpick = (tile, y, x) => choose({ layer: 0, at: [map, y, x] });
    const at = () => [0, field.rows[0], field.columns[0]];
    const caption = chosen2.layer === 0 ? "the picture" : "the picture: what this number sees of it";
    return figure(caption, shape, color, [field], onpick, at);
  }
  function figuresOf(state2, explanation, marks, choose) {
    const { chosen: chosen2, network: network2, backward } = state2;
    const figures = [pictureFigure(state2, choose)];
    const isMap = (layer) => network2.layers[layer].output[1] * network2.layers[layer].output[2] > 1;
    const [strongest] = [...explanation.terms].filter(({ at }) => at).sort((a, b) => Math.abs(b.product ?? 0) - Math.abs(a.product ?? 0));
    const other = strongest && isMap(strongest.layer) ? [strongest.layer, strongest.at[0]] : null;
    const own = isMap(chosen2.layer) ? [chosen2.layer, chosen2.at[0]] : null;
    for (const shown2 of backward ? [own, other] : [other, own]) {
      if (shown2) figures.push(mapFigure(state2, ...shown2, marks, choose));
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
  function gradCamOf(state2, n, name) {
    const { network: network2, pictures, picture } = state2;
    const map = network2.gradCam(n);
    const most = rangeOf(map)[1];
    const { shape } = pictures[picture];
    const [, height, width] = network2.layers[n].output;
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
  function occlusionOf(state2, name) {
    if (!state2.network.isLive) return element("p", {}, "The page that is served covers the picture square by square.");
    const place2 = element("div");
    const button = element("button", { type: "button" }, `cover the picture square by square, and watch ${name}`);
    button.addEventListener("click", async () => {
      button.disabled = true;
      place2.textContent = "minialex computes …";
      place2.replaceChildren(await covered(state2, name, place2).catch((error) => error.message));
      button.disabled = false;
    });
    return element("div", {}, button, place2);
  }
  async function covered(state2, name, place2) {
    const { network: network2, target, pictures, picture } = state2;
    const { shape } = pictures[picture];
    const [, height, width] = shape;
    const side = Math.max(1, Math.floor(Math.min(height, width) / (SQUARES / 2)));
    const stride = Math.max(1, Math.floor(side / 2));
    const whole = network2.values[network2.end][target];
    const lost = new Float32Array(height * width);
    let least = { probability: Infinity };
    for await (const square of network2.occlusion(pictures[picture], target, side, stride)) {
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
  var [WIDTH, HEIGHT] = [246, 64];
  function histogram({ count: all, smallest, largest: largest2, mean: mean2, std, zeros: zeros2, bins }, what) {
    const canvas = element("canvas", {
      width: WIDTH,
      height: HEIGHT,
      role: "img",
      "aria-label": `histogram of the ${what}`
    });
    const context = canvas.getContext("2d");
    const most = Math.log1p(Math.max(...bins));
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
    bins.forEach((count, bin) => {
      const height = Math.log1p(count) / most * HEIGHT;
      context.fillRect(bin * WIDTH / bins.length, HEIGHT - height, WIDTH / bins.length - 1, height);
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
  function aboutLayer(state2, n, engine, classes, choose) {
    const layer = state2.network.layers[n];
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
    if (n < state2.network.end) parts.push(...distribution(state2, n), ...attention(state2, n, classes[state2.target]));
    for (const name of ["weight", "bias"]) if (layer[name]) parts.push(parameter(state2, n, name, choose));
    if (layer.code) parts.push(titled("In minialex", ...code(layer)));
    return element("div", {}, ...parts);
  }
  function distribution({ network: network2, backward }, n) {
    const kind = backward ? "gradients" : "values";
    return [titled(backward ? "Gradients" : "Values", histogram(network2.summary(kind, n), kind))];
  }
  function attention(state2, n, name) {
    const [, height, width] = state2.network.layers[n].output;
    if (n === 0) return [titled("Occlusion", occlusionOf(state2, name))];
    return height * width > 1 ? [titled("Grad-CAM", gradCamOf(state2, n, name))] : [];
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
  function parameter(state2, n, name, choose) {
    const { backward, network: network2 } = state2;
    const { shape, summary: isLarge } = network2.layers[n][name];
    const summary = network2.summary(backward ? "parameterGradients" : "parameters", n, name);
    const what = `${backward ? "gradients of the " : ""}${name}, ${shape.join(" × ")}`;
    const title = what[0].toUpperCase() + what.slice(1);
    if (!summary) return titled(title, element("p", {}, "This parameter is not learned: it has no gradient."));
    if (isLarge) return titled(title, histogram(summary, what));
    const key = `orange: positive, blue: negative; full colour: ±${format(sizeOf(summary))}`;
    return titled(
      title,
      histogram(summary, what),
      element("p", { class: "small" }, key),
      element("div", { class: "scrolls tall" }, pictureOf(state2, n, name, what, choose))
    );
  }
  var sizeOf = ({ smallest, largest: largest2 }) => Math.max(Math.abs(smallest), Math.abs(largest2));
  function pictureOf(state2, n, name, what, choose) {
    const { backward, network: network2, chosen: chosen2 } = state2;
    const { shape, data: data2 } = network2.layers[n][name];
    const numbers = backward ? network2.parameterGradients[n][name] : data2;
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
    constructor(state2, choose) {
      Object.assign(this, { state: state2, choose });
      const button = (text, onclick) => element("button", { type: "button", onclick }, text);
      this.back = button("one step back", () => this.step(-1));
      this.play = button("play", () => this.timer ? this.stop() : this.start());
      this.next = button("one step on", () => this.step(1));
      const where = element("span", { class: "small" }, "row by row, and map by map");
      this.element = element("p", { class: "stepper" }, this.back, this.play, this.next, where);
    }
    /** The place that is `count` steps further, row by row and map by map; null beyond the ends. */
    from(count) {
      const { chosen: chosen2, network: network2 } = this.state;
      const shape = network2.layers[chosen2.layer].output;
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
    /** Only values have a next one; a layer or a weight ends the play, as does the last place. */
    update() {
      const { at, parameter: parameter2 } = this.state.chosen;
      const isValue = Boolean(at) && !parameter2;
      this.element.hidden = !isValue;
      if (this.timer && !(isValue && this.from(1))) this.stop();
      this.play.textContent = this.timer ? "pause" : "play";
    }
  };

  // view/panel.js
  var SERVED = "python -m minialex.explore RUN";
  var Panel = class {
    constructor(state2, classes, choose) {
      Object.assign(this, { state: state2, classes, choose });
      this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
      this.content = element("div");
      this.stepper = new Stepper(state2, choose);
      const parts = [this.heading, this.stepper.element, this.content];
      this.element = element("section", { class: "panel", "aria-label": "explanation" }, ...parts);
    }
    focus = () => this.heading.focus();
    fill = (...content) => refill(this.content, content, this.heading);
    /** The explanation of what is chosen; null for a layer. */
    explanation() {
      const { network: network2, backward, chosen: chosen2 } = this.state;
      const { layer, at, parameter: parameter2 } = chosen2;
      if (!at) return null;
      if (parameter2) return network2.explainParameter(layer, parameter2, at);
      return backward ? network2.explainGradient(this.receiver(), at) : network2.explain(layer, at);
    }
    /** The layer whose gradient is shown: at the probabilities that of the logits, with which backward begins. */
    receiver() {
      const { network: network2, chosen: chosen2 } = this.state;
      return chosen2.layer === network2.end ? network2.layers[network2.end].sources[0] : chosen2.layer;
    }
    update(explanation, marks) {
      const { network: network2, chosen: chosen2 } = this.state;
      const layer = network2.layers[chosen2.layer];
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
      const { network: network2, backward, chosen: chosen2 } = this.state;
      const { at, parameter: parameter2 } = chosen2;
      if (parameter2) return `${layer.name}, ${parameter2} [${at.join(", ")}]`;
      const place2 = chosen2.layer === network2.end ? `class ${this.classes[at[0]]}` : placeText(at, layer.output);
      const n = backward ? this.receiver() : chosen2.layer;
      const number = format(backward ? network2.gradientAt(n, at) : network2.valueAt(n, at));
      const sign = network2.isExact(backward ? "gradients" : "values", n, at) ? "" : "≈ ";
      return `${backward ? "Gradient at " : ""}${network2.layers[n].name}, ${place2}: ${sign}${number}`;
    }
    /** Where the numbers of a place are not there: when they come, or where to find them. */
    unknown(layer) {
      const { network: network2, chosen: chosen2 } = this.state;
      if (network2.isLive) return [element("p", {}, "minialex computes what this number is made of …")];
      const places2 = network2.explainedIn(chosen2.layer).map((at) => {
        const onclick = () => this.choose({ layer: chosen2.layer, at });
        return element("button", { type: "button", onclick }, shortPlace(layer, at));
      });
      const here = `--explain ${layer.name}:${chosen2.at.join(",")}`;
      return [
        element("p", {}, "This page, of a large network, has the numbers behind some places only. ", ...places2),
        element("p", {}, "Every place is explained in the page that is served, by ", element("code", {}, SERVED), "; "),
        element("p", {}, "or written into a page for this one: ", element("code", {}, `${SERVED} --out page.html ${here}`)),
        this.about(chosen2.layer)
      ];
    }
    showValue(layer, explanation, marks) {
      const { network: network2, backward, chosen: chosen2 } = this.state;
      this.heading.textContent = this.headingOf(layer);
      this.fill(
        figuresOf(this.state, explanation, marks, this.choose),
        element("p", {}, fromText(explanation, network2.layers)),
        ...this.formulas(backward).map((text) => element("pre", { class: "formula" }, text)),
        element(
          "div",
          { class: "numbers" },
          stepsOf(explanation),
          termsOf(explanation, network2.layers, this.choose) ?? ""
        ),
        this.followers(explanation) ?? "",
        this.about(chosen2.layer)
      );
    }
    /** The formula of the value, or of its gradient by each layer that uses it. */
    formulas(backward) {
      const { network: network2, chosen: chosen2 } = this.state;
      if (!backward) return chosen2.layer ? [network2.of(chosen2.layer).formula] : [];
      return network2.users[this.receiver()].map((user) => `${network2.layers[user].name}: ${network2.of(user).gradient}`);
    }
    /** Where a value goes to, as buttons; its gradient's terms name these places themselves. */
    followers() {
      const { network: network2, backward, chosen: chosen2 } = this.state;
      if (backward || chosen2.layer === network2.end) return null;
      const buttons = network2.users[chosen2.layer].flatMap((user) => {
        const terms = network2.explainGradient(chosen2.layer, chosen2.at).terms.filter(({ layer, at }) => layer === user && at);
        const target = terms.sort((a, b) => Math.abs(b.factor) - Math.abs(a.factor))[0];
        if (!target) return [];
        const text = shortPlace(network2.layers[user], target.at);
        const onclick = () => this.choose({ layer: user, at: target.at });
        return [
          element("button", { type: "button", onclick }, text),
          terms.length > 1 ? ` and ${terms.length - 1} more of ${network2.layers[user].name} ` : " "
        ];
      });
      return element("p", {}, "used by ", ...buttons);
    }
    showParameter(layer, explanation) {
      const { network: network2, chosen: chosen2 } = this.state;
      const { at, parameter: parameter2 } = chosen2;
      const index = at.reduce((k, n, axis) => k * layer[parameter2].shape[axis] + n, 0);
      const numbers = `${format(layer[parameter2].data[index])}, its gradient ${format(total(explanation.terms))}`;
      this.heading.textContent = `${this.headingOf(layer)}: ${numbers}`;
      this.fill(
        stepsOf(explanation),
        termsOf({ ...explanation, grid: [1, 1] }, network2.layers, this.choose),
        aboutLayer(this.state, chosen2.layer, KINDS[layer.kind], this.classes, this.choose)
      );
    }
  };

  // view/strip.js
  var CLASSES = 10;
  var Strip = class {
    /** choose(chosen): called with what is pressed. enter(): called where the keyboard asks for the explanation. */
    constructor(state2, classes, choose, enter) {
      Object.assign(this, { state: state2, classes, choose, enter });
      this.columns = state2.network.layers.map((layer, n) => this.column(layer, n));
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
      const { network: network2, backward, chosen: chosen2 } = this.state;
      this.columns.forEach(({ heading, tiles, legend, bars }, n) => {
        heading.setAttribute("aria-pressed", chosen2.layer === n);
        if (bars) return this.drawBars(bars, legend);
        const numbers = backward ? network2.gradients[n] : network2.values[n];
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
      const { network: network2, backward, target, chosen: chosen2 } = this.state;
      const p = network2.values[network2.end];
      const order = Array.from(p.keys()).sort((a, b) => p[b] - p[a]).slice(0, CLASSES);
      if (!order.includes(target)) order.push(target);
      const logits = network2.gradients[network2.layers[network2.end].sources[0]];
      const most = backward ? Math.max(...logits.map(Math.abs)) || 1 : 1;
      refill(
        bars,
        order.map((i) => {
          const bar = element("span", { class: backward && logits[i] < 0 ? "bar negative" : "bar" });
          bar.style.width = `${100 * Math.abs(backward ? logits[i] : p[i]) / most}%`;
          const text = `${this.classes[i]} ${backward ? format(logits[i]) : percent(p[i])}`;
          const isChosen = chosen2.layer === network2.end && chosen2.at?.[0] === i;
          const options = {
            type: "button",
            "aria-pressed": isChosen,
            onclick: () => this.choose({ layer: network2.end, at: [i, 0, 0] })
          };
          return element("li", { class: i === target ? "target" : "" }, element("button", options, text, bar));
        })
      );
      legend.textContent = backward ? "p − q: the gradient at the logits" : "bold: the class of the loss";
    }
  };

  // view/explorer.js
  var HELP = "Press a pixel, or the name of a layer. By keyboard: Tab goes from layer to layer, in its maps the arrow keys choose a pixel, Page Up and Page Down a map, and Enter leads to the explanation.";
  var Explorer = class {
    /** gallery: where more pictures come from, see more_pictures.js; null: there are no more. */
    constructor(place2, state2, { title, classes, reading, served }, gallery2) {
      Object.assign(this, { state: state2, classes, reading, served, gallery: gallery2 });
      this.strip = new Strip(state2, classes, this.choose, () => this.panel.focus());
      this.panel = new Panel(state2, classes, this.choose);
      this.said = element("p", { role: "status" });
      if (state2.timeline) this.addTraining();
      this.controls = [this.pictureChoice(), this.direction(), this.classChoice(), this.epochs?.element ?? ""];
      place2.append(
        element(
          "header",
          {},
          element("h1", {}, title),
          this.said,
          element("p", { class: "small" }, HELP),
          element("div", { class: "controls" }, ...this.controls)
        ),
        this.strip.element,
        this.confusion?.element ?? "",
        this.panel.element
      );
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.update());
      addEventListener("hashchange", () => this.follow(state2.read()));
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
      const { state: state2, classes, reading } = this;
      this.epochs = new Epochs(state2.timeline, (number) => {
        state2.goTo(number);
        this.update();
      });
      const open = (picture) => this.add({ ...picture, input: normalized(picture.pixels, reading) });
      this.confusion = new Confusion(state2.timeline, classes, state2.pictures[0].shape, reading && open);
    }
    /** Choose a layer, a value or a weight; see view/state.js. */
    choose = (chosen2) => {
      this.state.chosen = chosen2;
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
      const { state: state2, classes } = this;
      const p = state2.network.values[state2.network.end];
      const best = argmax(p);
      this.said.textContent = `${this.captionOf(state2.picture)}. The network says ${classes[best]}, ${percent(p[best])}. The loss of ${classes[state2.target]} is ${format(state2.loss)}.`;
      this.pictures.forEach((button, number) => button.setAttribute("aria-pressed", number === state2.picture));
      this.directions.forEach((button, k) => button.setAttribute("aria-pressed", Boolean(k) === state2.backward));
      this.select.value = state2.target;
      this.askFor(state2.chosen);
      this.epochs?.update();
      this.confusion?.update();
      const explanation = this.panel.explanation();
      const marks = explanation ? marksOf(state2, explanation) : [];
      const field = state2.chosen.at && !state2.chosen.parameter ? this.fieldMarks() : [];
      this.strip.update([...marks, ...field]);
      this.strip.reveal();
      this.panel.update(explanation, marks);
      if (location.protocol !== "about:") history.replaceState(null, "", state2.address);
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
      const { network: network2, chosen: chosen2, backward } = this.state;
      if (backward || chosen2.layer === 0) return [];
      const field = network2.receptiveField(chosen2.layer, chosen2.at).find(({ layer }) => layer === 0);
      return Array.from({ length: network2.layers[0].output[0] }, (_, tile) => ({ ...field, tile }));
    }
  };

  // view/state.js
  var State = class {
    /** timeline: of web/timeline.js, where the weights of several epochs are known. */
    constructor(network2, pictures, timeline2 = null) {
      Object.assign(this, { network: network2, pictures, timeline: timeline2, picture: 0, backward: false, chosen: { layer: 1 } });
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
    /** "#conv2:5,3,7;backward;picture=1": a place that one can link to. */
    get address() {
      const { layer, at, parameter: parameter2 } = this.chosen;
      const place2 = [encodeURIComponent(this.network.layers[layer].name), parameter2, at?.join(",")].filter(Boolean).join(":");
      const epoch = this.timeline ? `;epoch=${this.timeline.epoch}` : "";
      return `#${place2}${this.backward ? ";backward" : ""}${this.picture ? `;picture=${this.picture}` : ""}${epoch}`;
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
  var data = decoded(JSON.parse(document.getElementById("network").textContent));
  function networkOf({ layers, pictures, results, computes }) {
    if (computes) return new Network(layers);
    return new Computed(layers, results ? new Carried(pictures, results) : new Served());
  }
  function gallery() {
    if (data.served) return servedPictures;
    return data.reading && localPictures(data.reading, data.layers[0].output[1]);
  }
  var network = networkOf(data);
  var timeline = data.timeline && new Timeline(data.timeline, data.layers);
  var state = new State(network, data.pictures, timeline);
  var place = document.getElementById("explorer");
  var shown = after(state.ready, () => {
    place.replaceChildren();
    new Explorer(place, state, data, gallery());
    globalThis.explorer = { network, state, gradCam, occlusion };
  });
  if (shown instanceof Promise) {
    place.textContent = "minialex computes the first picture …";
    shown.catch((error) => {
      place.textContent = error.message;
      throw error;
    });
  }
})();
