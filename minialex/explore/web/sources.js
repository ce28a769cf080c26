// Where the numbers of a network come from that the page does not compute: from its own data, or from minialex.
import { decodedNumbers, decodedPicture, decodedResult, floatsOf } from "./data.js";

/** What the page carries: one result for each of its pictures, unpacked when it is first shown. */
export class Carried {
  isLive = false;

  constructor(pictures, results) {
    this.results = new Map(pictures.map((picture, k) => [picture, results[k]]));
    this.unpacked = new Map();
  }

  shown(picture) {
    if (!this.unpacked.has(picture)) this.unpacked.set(picture, decodedResult(this.results.get(picture)));
    return this.unpacked.get(picture);
  }

  numbers = () => null;
}

/** minialex at the other end of the address that the page came from. */
export class Served {
  isLive = true;

  shown = (picture, target) => ask({ do: "show", picture: picture.id, target }).then(decodedResult);

  numbers(picture, target, { layer, at, parameter = null }) {
    return ask({ do: "numbers", picture: picture.id, target, layer, at, name: parameter }).then(decodedNumbers);
  }

  /** The probabilities of a class where squares of the picture are covered, row by row. */
  async covered(picture, target, side, stride) {
    const { probabilities } = await ask({ do: "cover", picture: picture.id, target, side, stride });
    return floatsOf(probabilities);
  }
}

/** The answer of minialex to a question, an object; raises an Error with a sentence. */
export async function ask(question) {
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

/** Pictures that minialex makes ready. */
export const servedPictures = {
  ofFile: async (file) => decodedPicture(await ask({ do: "picture", file: base64(await bytesOf(file)), name: file.name })),
  ofNumber: async (number) => decodedPicture(await ask({ do: "picture", number })),
  ofDrawing: async (pixels) => decodedPicture(await ask({ do: "picture", drawn: base64(pixels) })),
};

const bytesOf = async (file) => new Uint8Array(await file.arrayBuffer());

function base64(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 8192) text += String.fromCharCode(...bytes.subarray(k, k + 8192));
  return btoa(text);
}
