// tools/parleyd/loaded.h - what stands in files: users, certificates, documents, the admin token. Read at start and at SIGHUP; a
// mistake in any of them leaves all of them as they were.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/tls.h"
#include "policy/documents.h"
#include "tools/parleyd/settings.h"
#include "tools/parleyd/users.h"

namespace parley::parleyd {

struct TlsContexts {
  std::shared_ptr<core::TlsContext> server;  // nullptr without --tls-cert
  std::shared_ptr<core::TlsContext> client;  // nullptr when nothing may be dialled
};

struct Loaded {
  Users users;
  TlsContexts tls;
  std::string admin_token;
  std::shared_ptr<const policy::Documents> documents;  // never null when good
  std::string error;  // names the flag; empty: good
  std::vector<std::string> warnings;
};

// `more_users` are those of --user.
Loaded load_files(const Settings& settings, const Users& more_users, std::shared_ptr<const core::TicketKeys> tickets);

}  // namespace parley::parleyd
