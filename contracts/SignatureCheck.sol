// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title One question for key pairs and contract wallets alike: is this the account's signature?
/// @dev OpenZeppelin's own SignatureChecker reaches `mcopy` through its imports and so needs Cancun, which Ganache
///      lacks; the parts that matter, recovery with its low-s rule and the ERC-1271 interface, are OpenZeppelin's here too.
library SignatureCheck {
    function isValid(address account, bytes32 digest, bytes memory signature) internal view returns (bool) {
        // The key comes first: an account that delegates to code (EIP-7702) keeps its key, and must not be able to make
        // void what the key has signed. Contract wallets have no key, so this opens nothing for them.
        if (isKeySignature(account, digest, signature)) return true;
        if (account.code.length == 0) return false;
        (bool success, bytes memory result) =
            account.staticcall(abi.encodeCall(IERC1271.isValidSignature, (digest, signature)));
        return success && result.length >= 32
            && abi.decode(result, (bytes32)) == bytes32(IERC1271.isValidSignature.selector);
    }

    /// @dev For accounts that are always key pairs; saves the look at the account's code.
    function isKeySignature(address account, bytes32 digest, bytes memory signature) internal pure returns (bool) {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, signature);
        return err == ECDSA.RecoverError.NoError && signer == account;
    }
}
