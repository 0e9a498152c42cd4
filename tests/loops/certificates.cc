// tests/loops/certificates.cc - see certificates.h.
#include "tests/loops/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace parley::loops {

struct TestCa::Keys {
  ::EVP_PKEY* key;
  ::X509* certificate;
};

namespace {

constexpr long day_s = 86400;

::X509* make(::EVP_PKEY* key, const std::string& name, int serial, bool expired) {
  ::X509* made = ::X509_new();
  ::X509_set_version(made, X509_VERSION_3);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(made), serial);
  ::X509_gmtime_adj(::X509_getm_notBefore(made), expired ? -10 * day_s : -day_s);
  ::X509_gmtime_adj(::X509_getm_notAfter(made), expired ? -day_s : day_s);
  ::X509_set_pubkey(made, key);
  ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return made;
}

void extend(::X509* certificate, int kind, const std::string& value) {
  ::X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  ::X509_add_ext(certificate, extension, -1);
  ::X509_EXTENSION_free(extension);
}

}  // namespace

TestCa::TestCa() {
  char folder[] = "/tmp/loops-test-XXXXXX";
  folder_ = ::mkdtemp(folder);
  ca_ = new Keys{EVP_EC_gen("P-256"), nullptr};
  ca_->certificate = make(ca_->key, "test CA", 1, false);
  ::X509_set_issuer_name(ca_->certificate, ::X509_get_subject_name(ca_->certificate));
  extend(ca_->certificate, NID_basic_constraints, "critical,CA:TRUE");
  ::X509_sign(ca_->certificate, ca_->key, ::EVP_sha256());
  ca_file_ = folder_ + "/ca.pem";
  files_.push_back(ca_file_);
  std::FILE* file = std::fopen(ca_file_.c_str(), "w");
  ::PEM_write_X509(file, ca_->certificate);
  std::fclose(file);
}

TestCa::~TestCa() {
  for (const std::string& file : files_) ::unlink(file.c_str());
  ::rmdir(folder_.c_str());
  ::X509_free(ca_->certificate);
  ::EVP_PKEY_free(ca_->key);
  delete ca_;
}

Identity TestCa::issue(const std::vector<std::string>& names, bool expired) {
  const std::string base = folder_ + "/" + std::to_string(++serial_);
  const Identity made{base + ".pem", base + ".key"};
  files_.push_back(made.certificate_file);
  files_.push_back(made.key_file);
  ::EVP_PKEY* key = EVP_EC_gen("P-256");
  ::X509* certificate = make(key, "common.name.is.not.looked.at", serial_, expired);
  ::X509_set_issuer_name(certificate, ::X509_get_subject_name(ca_->certificate));
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "DNS:" : ",DNS:") + name;
  if (!all.empty()) extend(certificate, NID_subject_alt_name, all);
  ::X509_sign(certificate, ca_->key, ::EVP_sha256());
  std::FILE* file = std::fopen(made.certificate_file.c_str(), "w");
  ::PEM_write_X509(file, certificate);
  std::fclose(file);
  file = std::fopen(made.key_file.c_str(), "w");
  ::PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
  ::X509_free(certificate);
  ::EVP_PKEY_free(key);
  return made;
}

}  // namespace parley::loops
