// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Why a call has to be refused
/// @dev The campaign fails if one of these was never met: then the suite does not try what it says it tries.
library Why {
    bytes32 internal constant NOT_REFUSED = 0;

    // ------------------------------------------------------------- anyone's
    bytes32 internal constant NOT_ALLOWED = "caller has no such right";
    bytes32 internal constant ZERO_AMOUNT = "zero amount";
    bytes32 internal constant REENTERED = "reentered";
    bytes32 internal constant BAD_SIGNATURE = "wrong signature";

    // ------------------------------------------------------------- channels
    bytes32 internal constant USED_AUTHORIZATION = "authorisation used";
    bytes32 internal constant OTHER_CHANNEL = "authorised for another channel";
    bytes32 internal constant BAD_DELAY = "withdraw delay out of range";
    bytes32 internal constant NOTHING_RECEIVED = "nothing received";
    bytes32 internal constant OVER_VOUCHER = "more than the voucher";
    bytes32 internal constant OVER_BALANCE = "more than the balance";
    bytes32 internal constant MIXED = "mixed authorizers";
    bytes32 internal constant MALFORMED = "malformed";
    bytes32 internal constant BAD_NONCE = "wrong refund nonce";
    bytes32 internal constant NOTHING_AVAILABLE = "nothing available";
    bytes32 internal constant OVER_AVAILABLE = "more than available";
    bytes32 internal constant NOT_ANNOUNCED = "not announced";
    bytes32 internal constant TOO_EARLY = "too early";

    // ----------------------------------------------------------- settlement
    bytes32 internal constant PAUSED = "paused";
    bytes32 internal constant SETTLED_BEFORE = "settled before";
    bytes32 internal constant OUT_OF_ORDER = "out of order";
    bytes32 internal constant TO_NOBODY = "to nobody";
    bytes32 internal constant OVER_BATCH_LIMIT = "over the batch limit";
    bytes32 internal constant OVER_DAY_LIMIT = "over the day limit";
    bytes32 internal constant INSOLVENT = "insolvent";
    bytes32 internal constant OVER_ENTITLED = "more than was set aside";
    bytes32 internal constant FALSE_PROOF = "false proof";
    bytes32 internal constant NOTHING_TO_CLAIM = "nothing to claim";
    bytes32 internal constant OVER_HOLDING = "more than is held";
    bytes32 internal constant OVER_CREDIT = "more than the credit";
    bytes32 internal constant OTHER_MERCHANT = "authorised for another merchant";
    bytes32 internal constant EXPIRED = "expired";
    bytes32 internal constant NOT_YET_VALID = "not yet valid";
    bytes32 internal constant ALREADY_PAUSED = "already paused";
}
