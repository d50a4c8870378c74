// Tickets for SPICE, as long as the server's key; in the place of spice-html5's module of this
// name, which is beside it as ticket-unpadded.js.
//
// A ticket is an RSA ciphertext, a number written in as many bytes as the modulus has (RFC 8017,
// 7.1.1, step 3c). spice-html5 leaves its leading zero bytes out and fills up behind, so that the
// server cannot read one ticket in about 180: of the page's four channels, one stays closed in
// about 2 page loads of 100. Without the one for the display the page stays empty.
import { create_rsa_from_mb, rsa_encrypt as unpadded } from './ticket-unpadded.js';

function rsa_encrypt(rsa, text) {
    const ticket = unpadded(rsa, text);
    if (!ticket) return ticket;
    const length = (rsa.n.bitLength() + 7) >> 3;
    return [...Array(length - ticket.length).fill(0), ...ticket];
}

export {
    create_rsa_from_mb,
    rsa_encrypt,
};
