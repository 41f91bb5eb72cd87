/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "certificate.h"

#include <glib.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

#include "harness.h"

#define DAY (24 * 60 * 60)

static void
must (int         result,
      const char *what)
{
  if (result < 0)
    bench_fail ("%s: %s", what, gnutls_strerror (result));
}

char *
certificate_new (void)
{
  const char serial = 1;
  gnutls_x509_privkey_t key;
  gnutls_x509_crt_t certificate;
  gnutls_datum_t key_pem;
  gnutls_datum_t certificate_pem;
  char *pem;

  must (gnutls_x509_privkey_init (&key), "key");
  must (gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA,
                                      GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0),
        "key");
  must (gnutls_x509_crt_init (&certificate), "certificate");
  must (gnutls_x509_crt_set_version (certificate, 3), "version");
  must (gnutls_x509_crt_set_serial (certificate, &serial, 1), "serial");
  must (gnutls_x509_crt_set_dn (certificate, "CN=bench", NULL), "name");
  must (gnutls_x509_crt_set_activation_time (certificate, time (NULL) - DAY), "time");
  must (gnutls_x509_crt_set_expiration_time (certificate, time (NULL) + DAY), "time");
  must (gnutls_x509_crt_set_key (certificate, key), "key");
  must (gnutls_x509_crt_sign2 (certificate, certificate, key, GNUTLS_DIG_SHA256, 0), "signature");
  must (gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &key_pem), "export");
  must (gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &certificate_pem), "export");
  pem = g_strconcat ((const char *) certificate_pem.data, (const char *) key_pem.data, NULL);
  gnutls_free (key_pem.data);
  gnutls_free (certificate_pem.data);
  gnutls_x509_crt_deinit (certificate);
  gnutls_x509_privkey_deinit (key);
  return pem;
}
