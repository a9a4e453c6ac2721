// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title Heads of append-only logs (日志检查点上链): the owner may only go forward.
/// @notice A log is named by the SHA-256 of its origin line. A checkpoint commits to every entry below its size, so that the newest
/// one alone anchors all that came before it.
contract CheckpointAnchor {
    struct Anchor {
        bytes32 root;
        uint64 blockNumber;
        uint64 blockTime;
    }

    event Anchored(bytes32 indexed log, uint64 size, bytes32 root);

    error NotTheOwner();
    error NotLarger(uint64 anchored);
    error NoRoot();

    /// @notice Set once; kept in storage, so that the code of every instance is the same and can be compared.
    address public owner;
    /// @notice The largest size that was anchored of a log; 0 before the first.
    mapping(bytes32 => uint64) public sizeOf;
    /// @notice What was anchored of a log at a size; a root of zero means nothing.
    mapping(bytes32 => mapping(uint64 => Anchor)) public anchorOf;

    constructor() {
        owner = msg.sender;
    }

    function anchor(bytes32 log, uint64 size, bytes32 root) external {
        if (msg.sender != owner) revert NotTheOwner();
        if (size <= sizeOf[log]) revert NotLarger(sizeOf[log]);
        if (root == 0) revert NoRoot();
        sizeOf[log] = size;
        anchorOf[log][size] = Anchor(root, uint64(block.number), uint64(block.timestamp));
        emit Anchored(log, size, root);
    }
}
