/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of functions that the library has, against published vectors.
 */
#include <glib.h>
#include <string.h>

#include "hex.h"
#include "seqex-crypto-private.h"
#include "sqx-hkdf.h"

static const sqx_crypto *crypto;
static const sqx_cipher ciphers[] = { SQX_CIPHER_AES256GCM, SQX_CIPHER_CHACHA20POLY1305 };

/* RFC 7748 section 5.2; the second public key has its highest bit set, which is to be ignored. */
static void
test_x25519 (void)
{
  static const char *vectors[][3] = {
    { "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
    { "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
      "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
      "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      guint8 scalar[32], point[32], out[32];

      hex_decode_exactly (scalar, 32, vectors[i][0]);
      hex_decode_exactly (point, 32, vectors[i][1]);
      g_assert_true (crypto->x25519 (out, scalar, point));
      assert_hex (out, 32, vectors[i][2]);

      /* The result may go where an argument was. */
      memcpy (out, point, 32);
      g_assert_true (crypto->x25519 (out, scalar, out));
      assert_hex (out, 32, vectors[i][2]);
      memcpy (out, scalar, 32);
      g_assert_true (crypto->x25519 (out, out, point));
      assert_hex (out, 32, vectors[i][2]);
    }
}

/* RFC 7748 section 6.1. */
static void
test_x25519_base (void)
{
  guint8 a[32], b[32], public_a[32], public_b[32], shared[32];

  hex_decode_exactly (a, 32, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  hex_decode_exactly (b, 32, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  crypto->x25519_base (public_a, a);
  crypto->x25519_base (public_b, b);
  assert_hex (public_a, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  assert_hex (public_b, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  g_assert_true (crypto->x25519 (shared, a, public_b));
  assert_hex (shared, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  g_assert_true (crypto->x25519 (shared, b, public_a));
  assert_hex (shared, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

/* All points of small order, and those forms of them that are not reduced. */
static void
test_x25519_small_order (void)
{
  static const char *points[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
  };
  guint8 scalar[32], point[32], out[32];

  for (gsize i = 0; i < 32; i++)
    scalar[i] = (guint8) g_test_rand_int ();
  for (gsize i = 0; i < G_N_ELEMENTS (points); i++)
    {
      hex_decode_exactly (point, 32, points[i]);
      g_assert_false (crypto->x25519 (out, scalar, point));
      assert_hex (out, 32, points[0]);
    }
}

/* FIPS 180-4 examples, in one part and in many. */
static void
test_sha256 (void)
{
  static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  static const char digest[] = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
  sqx_bytes parts[sizeof text];
  guint8 out[32];

  crypto->sha256 (out, NULL, 0);
  assert_hex (out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  parts[0] = (sqx_bytes) { NULL, 0 };
  crypto->sha256 (out, parts, 1);
  assert_hex (out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

  parts[0] = (sqx_bytes) { (const guint8 *) text, strlen (text) };
  crypto->sha256 (out, parts, 1);
  assert_hex (out, 32, digest);
  for (gsize i = 0; i < strlen (text); i++)
    parts[i] = (sqx_bytes) { (const guint8 *) text + i, 1 };
  crypto->sha256 (out, parts, strlen (text));
  assert_hex (out, 32, digest);
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
static void
test_hmac (void)
{
  static const char long_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
  guint8 key[131], out[32];
  sqx_bytes parts[2];

  memset (key, 0x0b, 20);
  parts[0] = (sqx_bytes) { (const guint8 *) "Hi There", 8 };
  crypto->hmac_sha256 (out, key, 20, parts, 1);
  assert_hex (out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

  parts[0] = (sqx_bytes) { (const guint8 *) "what do ya want ", 16 };
  parts[1] = (sqx_bytes) { (const guint8 *) "for nothing?", 12 };
  crypto->hmac_sha256 (out, (const guint8 *) "Jefe", 4, parts, 2);
  assert_hex (out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

  memset (key, 0xaa, sizeof key);
  parts[0] = (sqx_bytes) { (const guint8 *) long_text, strlen (long_text) };
  crypto->hmac_sha256 (out, key, sizeof key, parts, 1);
  assert_hex (out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");

  /* The result may go where the key was. */
  memset (key, 0x0b, 32);
  parts[0] = (sqx_bytes) { key, 32 };
  crypto->hmac_sha256 (out, key, 32, parts, 1);
  crypto->hmac_sha256 (key, key, 32, parts, 1);
  g_assert_cmpmem (key, 32, out, 32);
}

/* RFC 5869 appendix A; of the output, the first hash. */
static void
test_hkdf (void)
{
  static const struct
  {
    const char *input, *salt, *info, *prk, *output;
  } vectors[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
      "f0f1f2f3f4f5f6f7f8f9",
      "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf" },
    { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
      "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
      "404142434445464748494a4b4c4d4e4f",
      "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
      "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
      "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
      "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
      "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
      "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
      "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c" },
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
      "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GByteArray) input = hex_decode (vectors[i].input);
      g_autoptr (GByteArray) salt = hex_decode (vectors[i].salt);
      g_autoptr (GByteArray) info = hex_decode (vectors[i].info);
      guint8 out[32];

      sqx_hkdf_extract (crypto, out, salt->data, salt->len, input->data, input->len);
      assert_hex (out, 32, vectors[i].prk);
      sqx_hkdf_expand (crypto, out, out, info->data, info->len);
      assert_hex (out, 32, vectors[i].output);
    }
}

static void
check_aead (sqx_cipher  cipher,
            const char *key_text,
            const char *nonce_text,
            const char *ad_text,
            const char *plain,
            const char *sealed)
{
  g_autoptr (GByteArray) ad = hex_decode (ad_text);
  g_autoptr (GByteArray) data = hex_decode (plain);
  gsize size = data->len;
  guint8 key[32], nonce[12];
  void *aead;

  hex_decode_exactly (key, 32, key_text);
  hex_decode_exactly (nonce, 12, nonce_text);
  aead = crypto->aead_new (cipher, key);
  g_assert_nonnull (aead);
  g_byte_array_set_size (data, (guint) size + 16);
  g_assert_true (crypto->aead_seal (aead, nonce, ad->data, ad->len, data->data, size));
  assert_hex (data->data, size + 16, sealed);
  g_assert_true (crypto->aead_open (aead, nonce, ad->data, ad->len, data->data, size));
  assert_hex (data->data, size, plain);
  crypto->aead_free (aead);
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16; RFC 8439
 * section 2.8.2. */
static void
test_aead_vectors (void)
{
  static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";

  check_aead (SQX_CIPHER_AES256GCM, zero, "000000000000000000000000", "", "",
              "530f8afbc74536b9a963b4f1c4cb738b");
  check_aead (SQX_CIPHER_AES256GCM, zero, "000000000000000000000000", "",
              "00000000000000000000000000000000",
              "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  check_aead (SQX_CIPHER_AES256GCM,
              "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
              "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
              "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
              "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
              "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
              "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
              "76fc6ece0f4e1768cddf8853bb2d551b");
  check_aead (SQX_CIPHER_CHACHA20POLY1305,
              "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
              "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
              "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
              "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
              "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
              "637265656e20776f756c642062652069742e",
              "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
              "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
              "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
              "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");
}

/* Whatever bit of the packet, the header or the nonce is wrong: not authentic. */
static void
test_aead_bits (void)
{
  for (gsize c = 0; c < G_N_ELEMENTS (ciphers); c++)
    for (gsize size = 0; size < 40; size += 13)
      {
        guint8 key[32], nonce[12], ad[9], sealed[64], data[64];
        void *aead;

        for (gsize i = 0; i < sizeof key; i++)
          key[i] = (guint8) g_test_rand_int ();
        memset (nonce, 1, sizeof nonce);
        memset (ad, 2, sizeof ad);
        memset (sealed, 3, sizeof sealed);
        aead = crypto->aead_new (ciphers[c], key);
        g_assert_true (crypto->aead_seal (aead, nonce, ad, sizeof ad, sealed, size));
        for (gsize bit = 0; bit < 8 * (size + 16 + sizeof ad + sizeof nonce); bit++)
          {
            gsize byte = bit / 8;
            guint8 *at = byte < size + 16              ? data + byte
                       : byte < size + 16 + sizeof ad ? ad + byte - size - 16
                                                      : nonce + byte - size - 16 - sizeof ad;

            memcpy (data, sealed, sizeof data);
            *at ^= (guint8) (1 << bit % 8);
            g_assert_false (crypto->aead_open (aead, nonce, ad, sizeof ad, data, size));
            *at ^= (guint8) (1 << bit % 8);
          }
        memcpy (data, sealed, sizeof data);
        g_assert_true (crypto->aead_open (aead, nonce, ad, sizeof ad, data, size));
        for (gsize i = 0; i < size; i++)
          g_assert_cmpuint (data[i], ==, 3);
        crypto->aead_free (aead);
      }
}

static void
test_rest (void)
{
  guint8 a[32] = { 1, 2, 3 }, b[32] = { 1, 2, 3 };
  static const guint8 zero[32];

  g_assert_true (crypto->equal (a, b, sizeof a));
  g_assert_true (crypto->equal (a, zero, 0));
  for (gsize bit = 0; bit < 8 * sizeof a; bit++)
    {
      b[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (crypto->equal (a, b, sizeof a));
      b[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  crypto->wipe (a, sizeof a);
  g_assert_cmpmem (a, sizeof a, zero, sizeof zero);

  g_assert_null (crypto->aead_new ((sqx_cipher) 0, b));
  g_assert_null (crypto->aead_new ((sqx_cipher) 3, b));
  crypto->aead_free (NULL);
  g_assert_true (seqex_crypto_table () == crypto);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  crypto = seqex_crypto_table ();
  g_test_add_func ("/seqex/crypto/x25519", test_x25519);
  g_test_add_func ("/seqex/crypto/x25519-base", test_x25519_base);
  g_test_add_func ("/seqex/crypto/x25519-small-order", test_x25519_small_order);
  g_test_add_func ("/seqex/crypto/sha256", test_sha256);
  g_test_add_func ("/seqex/crypto/hmac", test_hmac);
  g_test_add_func ("/seqex/crypto/hkdf", test_hkdf);
  g_test_add_func ("/seqex/crypto/aead-vectors", test_aead_vectors);
  g_test_add_func ("/seqex/crypto/aead-bits", test_aead_bits);
  g_test_add_func ("/seqex/crypto/rest", test_rest);
  return g_test_run ();
}
