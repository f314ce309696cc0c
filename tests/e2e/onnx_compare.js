// SPDX-License-Identifier: Apache-2.0
// Runs every NAME.onnx of a folder in ONNX Runtime (wasm) and compares with the logits in NAME.json.
//   node onnx_compare.js MODULES FOLDER
'use strict';
const fs = require('fs');
const path = require('path');
const [modules, folder] = process.argv.slice(2);
const web = path.join(modules, 'onnxruntime-web');
const ort = require(path.join(web, 'dist', 'ort.node.min.js'));
const TOLERANCE = 1e-4; // of each logit, relative to the largest of its model if that is above 1

async function compare(name) {
    const want = JSON.parse(fs.readFileSync(path.join(folder, name + '.json')));
    const session = await ort.InferenceSession.create(path.join(folder, name + '.onnx'));
    const values = want.type === 'int64' ? BigInt64Array.from(want.x, (v) => BigInt(v))
                                         : Float32Array.from(want.x);
    const answer = await session.run({ input: new ort.Tensor(want.type, values, want.dims) });
    const got = answer.logits.data;
    const scale = Math.max(1, ...want.logits.map(Math.abs));
    let worst = got.length === want.logits.length ? 0 : Infinity;
    for (let i = 0; i < want.logits.length; i++) {
        const off = Math.abs(got[i] - want.logits[i]) / scale;
        worst = off <= worst ? worst : Number.isNaN(off) ? Infinity : off;
    }
    const good = worst <= TOLERANCE;
    console.log(`${good ? 'ok    ' : 'DIFFER'} ${name.padEnd(22)} ${got.length} values, worst ${worst.toExponential(1)}`);
    return good;
}

async function main() {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = path.join(web, 'dist') + '/';
    const names = fs.readdirSync(folder).filter((f) => f.endsWith('.onnx')).map((f) => f.slice(0, -5)).sort();
    let good = 0, bad = 0;
    for (const name of names) {
        let same = false;
        try { same = await compare(name); } catch (fault) { console.log(`FAILED ${name}: ${fault.message || fault}`); }
        same ? good++ : bad++;
    }
    console.log(`${good} passed, ${bad} failed`);
    process.exit(bad === 0 && good > 0 ? 0 : 1);
}
main();
