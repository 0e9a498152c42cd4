// tools/parleyd/loaded.cc - what stands in files: users, certificates, documents, the admin token.
#include "tools/parleyd/loaded.h"

#include <fstream>
#include <utility>

#include "tools/parleyd/document_files.h"

namespace parley::parleyd {
namespace {

constexpr std::size_t token_chars_min = 16;  // 64 bits even if it is only hex digits

// The contexts' errors name the file; an operator looks for the flag.
std::string with_flag(const Settings& settings, const std::string& error) {
  const auto names = [&error](const std::string& file) { return !file.empty() && error.find(file) != error.npos; };
  const char* flag = names(settings.tls_key) ? "--tls-key" : names(settings.tls_ca) ? "--tls-ca" : "--tls-cert";
  return std::string(flag) + ": " + error;
}

void load_users(const Settings& settings, Loaded& loaded) {
  if (settings.users_file.empty()) return;
  UsersResult file = read_users_file(settings.users_file, settings.realm);
  for (std::string& warning : file.warnings) loaded.warnings.push_back("--users-file: " + warning);
  std::string error = std::move(file.error);
  if (error.empty()) error = merge_users(loaded.users, file.users);
  if (!error.empty()) loaded.error = "--users-file: " + error;
}

void load_tls(const Settings& settings, std::shared_ptr<const core::TicketKeys> tickets, Loaded& loaded) {
  core::TlsConfig config;
  config.certificate_file = settings.tls_cert;
  config.key_file = settings.tls_key;
  config.ca_file = settings.tls_ca;
  std::string error;
  const bool dials = !settings.relay.relay_peers.empty() || !settings.relay.dial_allow.empty() || !settings.sip_listeners.empty();
  if (dials || !settings.tls_ca.empty()) loaded.tls.client = core::TlsContext::client(config, error);
  config.tickets = std::move(tickets);
  if (error.empty() && !settings.tls_cert.empty()) loaded.tls.server = core::TlsContext::server(config, error);
  if (!error.empty()) loaded.error = with_flag(settings, error);
}

void load_token(const Settings& settings, Loaded& loaded) {
  if (settings.admin_token_file.empty()) return;
  std::ifstream file(settings.admin_token_file);
  if (!std::getline(file, loaded.admin_token)) {
    loaded.error = "--admin-token-file: " + settings.admin_token_file + ": cannot be read or is empty";
  } else if (loaded.admin_token.size() < token_chars_min) {
    loaded.error = "--admin-token-file: " + settings.admin_token_file + ": holds fewer than 16 characters";
  }
}

void load_documents(const Settings& settings, Loaded& loaded) {
  DocumentFilesResult files;
  if (!settings.documents.empty()) {
    files = read_document_files(settings.documents, settings.documents_files_max, settings.documents_bytes_max);
  }
  policy::DocumentsResult read;
  if (files.error.empty()) read = policy::read_documents(files.files, settings.groups, home_domain(settings));
  if (!files.error.empty()) loaded.error = "--documents: " + files.error;
  // A group that stands in a file, too, is named by its own flag.
  if (!read.error.empty()) loaded.error = (read.error.starts_with("--") ? "" : "--documents: " + settings.documents + "/") + read.error;
  for (const std::string& warning : files.warnings) loaded.warnings.push_back("--documents: " + warning);
  for (const std::string& warning : read.warnings) loaded.warnings.push_back("--documents: " + settings.documents + "/" + warning);
  loaded.documents = std::move(read.documents);
}

}  // namespace

Loaded load_files(const Settings& settings, const Users& more_users, std::shared_ptr<const core::TicketKeys> tickets) {
  Loaded loaded;
  loaded.users = more_users;
  load_users(settings, loaded);
  if (loaded.error.empty()) load_tls(settings, std::move(tickets), loaded);
  if (loaded.error.empty()) load_token(settings, loaded);
  if (loaded.error.empty()) load_documents(settings, loaded);
  if (loaded.users.empty() && settings.relay.relay_peers.empty() && settings.sip.trusted_peers.empty()) {
    loaded.warnings.emplace_back("no --user, --users-file, --relay-peer or --trusted-peer: nobody can get a session");
  }
  for (const auto algorithm : settings.relay.algorithms) {
    const std::size_t without = lacking(loaded.users, algorithm);
    if (without == 0) continue;
    loaded.warnings.push_back(std::to_string(without) + " users have no " + std::string(core::to_string(algorithm)) +
                              " digest and can not answer that challenge");
  }
  return loaded;
}

}  // namespace parley::parleyd
