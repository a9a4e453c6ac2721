// Compiles CheckpointAnchor.sol and writes CheckpointAnchor.json; with --compare it writes nothing and fails when they differ.
// Run with solc of the version in tests/chain/package.json: NODE_PATH=tests/chain/node_modules node compile.js [--compare]
"use strict";
const fs = require("fs"), path = require("path"), crypto = require("crypto"), solc = require("solc"), { keccak256 } = require("js-sha3");
const file = "CheckpointAnchor.sol", source = fs.readFileSync(path.join(__dirname, file), "utf8");
const settings = {
  evmVersion: "paris", // no opcode that consortium chains lack
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers"] } },
};
const told = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources: { [file]: { content: source } }, settings })));
for (const each of told.errors || []) { console.error(each.formattedMessage); process.exitCode = 1; }
if (process.exitCode) process.exit();
const made = told.contracts[file].CheckpointAnchor;
const text = JSON.stringify({
  compiler: solc.version(),
  evm_version: settings.evmVersion,
  source_sha256: crypto.createHash("sha256").update(source).digest("hex"),
  methods: made.evm.methodIdentifiers,
  event: keccak256("Anchored(bytes32,uint64,bytes32)"),
  abi: made.abi,
  bytecode: made.evm.bytecode.object,
  deployed: made.evm.deployedBytecode.object,
}, null, 1) + "\n";
const target = path.join(__dirname, "CheckpointAnchor.json");
if (!process.argv.includes("--compare")) fs.writeFileSync(target, text);
else if (fs.readFileSync(target, "utf8") !== text) { console.error("CheckpointAnchor.json is not what CheckpointAnchor.sol compiles to"); process.exitCode = 1; }
else console.log("the same");
