/* A client that does what the tests of this suite name: probe MODULE PROBE. It ends with 0 when every call answered what
 * the standard (or docs/pkcs11.md) says, and else says which did not. */
#define _GNU_SOURCE
#include "pkcs11.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path;
static struct functions *f;

static void expect(const char *what, ulong got, ulong wanted, int line) {
    if (got != wanted) {
        fprintf(stderr, "line %d: %s: 0x%lx and not 0x%lx\n", line, what, got, wanted);
        _exit(1);
    }
}
#define EXPECT(call, wanted) expect(#call, call, wanted, __LINE__)
#define HOLDS(condition) expect(#condition, (condition) ? 1 : 0, 1, __LINE__)

static void *load(void) {
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(1);
    }
    ulong (*list)(struct functions **) = (ulong(*)(struct functions **))dlsym(module, "C_GetFunctionList");
    HOLDS(list != NULL);
    EXPECT(list(&f), OK);
    return module;
}

static ulong open_session(ulong slot, ulong flags) {
    ulong session = 0;
    EXPECT(f->OpenSession(slot, flags | SERIAL, NULL, NULL, &session), OK);
    HOLDS(session != 0);
    return session;
}

static ulong login(ulong session, const char *pin) {
    return f->Login(session, USER, (byte *)pin, pin ? strlen(pin) : 0);
}

static ulong state(ulong session) {
    struct session_info info;
    EXPECT(f->GetSessionInfo(session, &info), OK);
    HOLDS(info.slot == 1 && (info.flags & SERIAL));
    return info.state;
}

/* The lists hold the functions that are exported, each in its place. */
static void lists(void) {
    static const char *names[] = {
        "Initialize", "Finalize", "GetInfo", "GetFunctionList", "GetSlotList", "GetSlotInfo", "GetTokenInfo",
        "GetMechanismList", "GetMechanismInfo", "InitToken", "InitPIN", "SetPIN", "OpenSession", "CloseSession",
        "CloseAllSessions", "GetSessionInfo", "GetOperationState", "SetOperationState", "Login", "Logout", "CreateObject",
        "CopyObject", "DestroyObject", "GetObjectSize", "GetAttributeValue", "SetAttributeValue", "FindObjectsInit",
        "FindObjects", "FindObjectsFinal", "EncryptInit", "Encrypt", "EncryptUpdate", "EncryptFinal", "DecryptInit",
        "Decrypt", "DecryptUpdate", "DecryptFinal", "DigestInit", "Digest", "DigestUpdate", "DigestKey", "DigestFinal",
        "SignInit", "Sign", "SignUpdate", "SignFinal", "SignRecoverInit", "SignRecover", "VerifyInit", "Verify",
        "VerifyUpdate", "VerifyFinal", "VerifyRecoverInit", "VerifyRecover", "DigestEncryptUpdate",
        "DecryptDigestUpdate", "SignEncryptUpdate", "DecryptVerifyUpdate", "GenerateKey", "GenerateKeyPair", "WrapKey",
        "UnwrapKey", "DeriveKey", "SeedRandom", "GenerateRandom", "GetFunctionStatus", "CancelFunction",
        "WaitForSlotEvent", "GetInterfaceList", "GetInterface", "LoginUser", "SessionCancel", "MessageEncryptInit",
        "EncryptMessage", "EncryptMessageBegin", "EncryptMessageNext", "MessageEncryptFinal", "MessageDecryptInit",
        "DecryptMessage", "DecryptMessageBegin", "DecryptMessageNext", "MessageDecryptFinal", "MessageSignInit",
        "SignMessage", "SignMessageBegin", "SignMessageNext", "MessageSignFinal", "MessageVerifyInit", "VerifyMessage",
        "VerifyMessageBegin", "VerifyMessageNext", "MessageVerifyFinal",
    };
    const size_t all = sizeof names / sizeof *names, old = 68;
    void *module = load();
    HOLDS(f->version.major == 2 && f->version.minor == 40 && all == 92);

    ulong (*interfaces)(struct interface *, ulong *) =
        (ulong(*)(struct interface *, ulong *))dlsym(module, "C_GetInterfaceList");
    ulong (*interface)(const char *, struct version *, struct interface **, ulong) =
        (ulong(*)(const char *, struct version *, struct interface **, ulong))dlsym(module, "C_GetInterface");
    ulong count = 0;
    EXPECT(interfaces(NULL, &count), OK);
    HOLDS(count == 2);
    struct interface both[2], *found = NULL;
    count = 1;
    EXPECT(interfaces(both, &count), BUFFER_TOO_SMALL);
    HOLDS(count == 2);
    EXPECT(interfaces(both, &count), OK);

    EXPECT(interface(NULL, NULL, &found, 0), OK);
    struct functions *new = found->list;
    HOLDS(new->version.major == 3 && new->version.minor == 0 && !strcmp(found->name, "PKCS 11"));
    struct version wanted = { 2, 40 };
    EXPECT(interface("PKCS 11", &wanted, &found, 0), OK);
    HOLDS(found->list == f && both[1].list == f && both[0].list == new);
    /* pkcs11-spy writes there. */
    ((volatile struct interface *)found)->flags = 0;
    wanted.minor = 20;
    EXPECT(interface("PKCS 11", &wanted, &found, 0), FUNCTION_FAILED);
    HOLDS(found == NULL);
    EXPECT(interface("Vendor X", NULL, &found, 0), FUNCTION_FAILED);
    EXPECT(interface("PKCS 11", NULL, &found, 1), FUNCTION_FAILED);
    EXPECT(interface("PKCS 11", NULL, NULL, 0), ARGUMENTS_BAD);

    for (size_t at = 0; at < all; at++) {
        char name[64];
        snprintf(name, sizeof name, "C_%s", names[at]);
        void *symbol = dlsym(module, name);
        /* C_GetInfo tells the list's own version. */
        int own = !strcmp(names[at], "GetInfo");
        if (!symbol || (!own && ((void **)&new->Initialize)[at] != symbol)
            || (at < old && ((void **)&f->Initialize)[at] != symbol)) {
            fprintf(stderr, "%s is not in its place\n", name);
            _exit(1);
        }
    }
    struct info info;
    EXPECT(f->Initialize(NULL), OK);
    EXPECT(f->GetInfo(&info), OK);
    HOLDS(info.cryptoki.major == 2 && info.cryptoki.minor == 40);
    EXPECT(new->GetInfo(&info), OK);
    HOLDS(info.cryptoki.major == 3 && info.cryptoki.minor == 0);
}

/* What may be called when, and with which arguments C_Initialize is content. */
static void lifecycle(void) {
    static int anything;
    struct initialize none = { 0 }, flags = { .flags = 3 }, reserved = { .flags = 2, .reserved = &anything };
    struct initialize callbacks = { .create = (void *)&anything, .destroy = (void *)&anything, .lock = (void *)&anything,
                                    .unlock = (void *)&anything };
    struct initialize half = { .create = (void *)&anything };
    ulong count = 0, session;
    load();
    EXPECT(f->GetSlotList(1, NULL, &count), NOT_INITIALIZED);
    EXPECT(f->OpenSession(1, SERIAL, NULL, NULL, &session), NOT_INITIALIZED);
    EXPECT(f->Finalize(NULL), NOT_INITIALIZED);
    EXPECT(f->Initialize(&reserved), ARGUMENTS_BAD);
    EXPECT(f->Initialize(&half), ARGUMENTS_BAD);

    struct initialize *accepted[] = { NULL, &none, &flags, &callbacks };
    ulong before = 0;
    for (int round = 0; round < 4; round++) {
        EXPECT(f->Initialize(accepted[round]), OK);
        EXPECT(f->Initialize(accepted[round]), ALREADY_INITIALIZED);
        session = open_session(1, RW);
        HOLDS(session > before);
        EXPECT(f->GetSessionInfo(before, &(struct session_info){ 0 }), SESSION_HANDLE_INVALID);
        EXPECT(login(session, "1234"), OK);
        EXPECT(f->Finalize(&anything), ARGUMENTS_BAD);
        EXPECT(f->Finalize(NULL), OK);
        EXPECT(f->GetSessionInfo(session, &(struct session_info){ 0 }), NOT_INITIALIZED);
        before = session;
    }
}

/* A second C_Initialize, where the configuration says that it is to be borne. */
static void lenient(void) {
    load();
    EXPECT(f->Initialize(NULL), OK);
    EXPECT(f->Initialize(NULL), OK);
    ulong session = open_session(1, 0);
    EXPECT(login(session, "1234"), OK);
    EXPECT(login(session, "1234"), OK);
    EXPECT(login(session, "4321"), PIN_INCORRECT);
}

static void slots(void) {
    ulong ids[3] = { 0 }, count = 0;
    struct slot_info slot;
    struct token_info token;
    load();
    EXPECT(f->Initialize(NULL), OK);
    EXPECT(f->GetSlotList(1, NULL, &count), OK);
    HOLDS(count == 2);
    count = 1;
    EXPECT(f->GetSlotList(1, ids, &count), BUFFER_TOO_SMALL);
    HOLDS(count == 2 && ids[0] == 0);
    count = 3;
    EXPECT(f->GetSlotList(0, ids, &count), OK);
    HOLDS(count == 2 && ids[0] == 1 && ids[1] == 2);
    EXPECT(f->GetSlotList(1, ids, NULL), ARGUMENTS_BAD);
    EXPECT(f->GetSlotInfo(1, &slot), OK);
    HOLDS(slot.flags == 1);
    EXPECT(f->GetSlotInfo(1, NULL), ARGUMENTS_BAD);
    EXPECT(f->GetTokenInfo(2, &token), OK);
    HOLDS(!memcmp(token.label, "second                          ", 32));
    HOLDS((token.flags & 0x40d) == 0x40d && token.max_sessions == 0 && token.min_pin == 1);
    byte serial[16];
    memcpy(serial, token.serial, 16);
    EXPECT(f->GetTokenInfo(1, &token), OK);
    HOLDS(memcmp(serial, token.serial, 16));
    ulong none[] = { 0, 3, -1UL };
    for (int at = 0; at < 3; at++) {
        EXPECT(f->GetSlotInfo(none[at], &slot), SLOT_ID_INVALID);
        EXPECT(f->GetTokenInfo(none[at], &token), SLOT_ID_INVALID);
        EXPECT(f->GetMechanismList(none[at], NULL, &count), SLOT_ID_INVALID);
        EXPECT(f->OpenSession(none[at], SERIAL, NULL, NULL, &count), SLOT_ID_INVALID);
        EXPECT(f->CloseAllSessions(none[at]), SLOT_ID_INVALID);
    }
    EXPECT(f->WaitForSlotEvent(1, ids, NULL), NO_EVENT);
    EXPECT(f->WaitForSlotEvent(0, ids, NULL), FUNCTION_NOT_SUPPORTED);
}

/* Login is the process's, per token, and the PIN is looked at first. */
static void logins(void) {
    load();
    EXPECT(f->Initialize(NULL), OK);
    ulong reads = open_session(1, 0), writes = open_session(1, RW), other = open_session(2, RW);
    HOLDS(state(reads) == 0 && state(writes) == 2);
    EXPECT(login(writes, "12345"), PIN_INCORRECT);
    EXPECT(login(writes, ""), PIN_INCORRECT);
    EXPECT(login(writes, NULL), PIN_INCORRECT);
    EXPECT(f->Login(writes, SO, (byte *)"1234", 4), USER_TYPE_INVALID);
    EXPECT(f->Login(writes, USER, NULL, 4), ARGUMENTS_BAD);
    EXPECT(f->Login(writes, USER, (byte *)"1234", -1UL), ARGUMENTS_BAD);
    EXPECT(f->Logout(writes), USER_NOT_LOGGED_IN);
    EXPECT(login(writes, "1234"), OK);
    HOLDS(state(reads) == 1 && state(writes) == 3);
    EXPECT(login(reads, "1234"), USER_ALREADY_LOGGED_IN);
    EXPECT(login(reads, "4321"), PIN_INCORRECT);
    EXPECT(login(reads, ""), PIN_INCORRECT);
    EXPECT(f->Login(reads, CONTEXT_SPECIFIC, (byte *)"1234", 4), OPERATION_NOT_INITIALIZED);
    /* The second token has no PIN file: any PIN that is not empty. */
    EXPECT(login(other, ""), PIN_INCORRECT);
    EXPECT(login(other, "anything"), OK);

    EXPECT(f->Logout(reads), OK);
    HOLDS(state(writes) == 2);
    EXPECT(login(writes, "1234"), OK);
    /* The last session takes the login with it. */
    EXPECT(f->CloseSession(reads), OK);
    EXPECT(f->CloseSession(writes), OK);
    EXPECT(f->CloseSession(writes), SESSION_HANDLE_INVALID);
    writes = open_session(1, RW);
    HOLDS(state(writes) == 2);
    EXPECT(login(writes, "1234"), OK);
    EXPECT(f->CloseAllSessions(1), OK);
    EXPECT(login(writes, "1234"), SESSION_HANDLE_INVALID);
    EXPECT(login(open_session(1, RW), "1234"), OK);
    EXPECT(login(other, "anything"), USER_ALREADY_LOGGED_IN);
}

/* Thousands of sessions at once, and no handle twice. */
static void sessions(void) {
    enum { MANY = 5000 };
    static ulong handles[MANY];
    struct token_info token;
    ulong session;
    load();
    EXPECT(f->Initialize(NULL), OK);
    EXPECT(f->OpenSession(1, RW, NULL, NULL, &session), SESSION_PARALLEL_NOT_SUPPORTED);
    EXPECT(f->OpenSession(1, SERIAL, NULL, NULL, NULL), ARGUMENTS_BAD);
    for (int at = 0; at < MANY; at++) {
        handles[at] = open_session(1, at % 2 ? RW : 0);
        HOLDS(at == 0 || handles[at] > handles[at - 1]);
    }
    EXPECT(f->GetTokenInfo(1, &token), OK);
    HOLDS(token.sessions == MANY && token.rw_sessions == MANY / 2);
    for (int at = 0; at < MANY; at += 2) EXPECT(f->CloseSession(handles[at]), OK);
    EXPECT(f->GetTokenInfo(1, &token), OK);
    HOLDS(token.sessions == MANY / 2 && token.rw_sessions == MANY / 2);
    HOLDS(open_session(1, 0) > handles[MANY - 1]);
    EXPECT(f->CloseAllSessions(1), OK);
    EXPECT(f->CloseSession(handles[1]), SESSION_HANDLE_INVALID);

    session = open_session(1, 0);
    byte random[2][64] = { 0 }, zero[64] = { 0 };
    EXPECT(f->GenerateRandom(session, random[0], 64), OK);
    EXPECT(f->GenerateRandom(session, random[1], 64), OK);
    HOLDS(memcmp(random[0], random[1], 64) && memcmp(random[0], zero, 64));
    EXPECT(f->GenerateRandom(session, NULL, 64), ARGUMENTS_BAD);
    EXPECT(f->GenerateRandom(session, random[0], -1UL), ARGUMENTS_BAD);
    EXPECT(f->SeedRandom(session, random[0], 64), RANDOM_SEED_NOT_SUPPORTED);
    EXPECT(f->GetFunctionStatus(session), FUNCTION_NOT_PARALLEL);
}

/* A forked child has no module until it initializes its own; its parent's goes on. */
static void forked(void) {
    load();
    EXPECT(f->Initialize(NULL), OK);
    ulong session = open_session(1, RW);
    EXPECT(login(session, "1234"), OK);
    for (int round = 0; round < 3; round++) {
        pid_t child = fork();
        HOLDS(child >= 0);
        if (child == 0) {
            struct session_info info;
            EXPECT(f->GetSessionInfo(session, &info), NOT_INITIALIZED);
            EXPECT(f->Finalize(NULL), NOT_INITIALIZED);
            EXPECT(f->Initialize(NULL), OK);
            EXPECT(f->Initialize(NULL), ALREADY_INITIALIZED);
            EXPECT(f->GetSessionInfo(session, &info), SESSION_HANDLE_INVALID);
            ulong own = open_session(1, RW);
            HOLDS(state(own) == 2);
            EXPECT(login(own, "1234"), OK);
            if (round == 1) EXPECT(f->Finalize(NULL), OK);
            if (round == 2) {
                /* And so on. */
                pid_t grandchild = fork();
                if (grandchild == 0) {
                    EXPECT(f->GetSessionInfo(own, &info), NOT_INITIALIZED);
                    EXPECT(f->Initialize(NULL), OK);
                    exit(0);
                }
                int status;
                HOLDS(waitpid(grandchild, &status, 0) == grandchild && status == 0);
            }
            exit(0);
        }
        int status;
        HOLDS(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        HOLDS(state(session) == 3);
    }
}

static volatile int ends;

static void *busy(void *unused) {
    struct session_info info;
    ulong session, count;
    (void)unused;
    while (!ends) {
        ulong rv = f->OpenSession(1, SERIAL, NULL, NULL, &session);
        if (rv == OK) {
            rv = f->GetSessionInfo(session, &info);
            HOLDS(rv == OK || rv == NOT_INITIALIZED || rv == SESSION_HANDLE_INVALID);
            rv = login(session, "1234");
            HOLDS(rv == OK || rv == NOT_INITIALIZED || rv == SESSION_HANDLE_INVALID || rv == USER_ALREADY_LOGGED_IN);
            f->CloseSession(session);
        } else {
            HOLDS(rv == NOT_INITIALIZED);
        }
        rv = f->GetSlotList(1, NULL, &count);
        HOLDS(rv == OK || rv == NOT_INITIALIZED);
    }
    return NULL;
}

/* C_Finalize, C_Initialize and fork while other threads are inside calls. */
static void threads(void) {
    pthread_t thread[8];
    load();
    EXPECT(f->Initialize(NULL), OK);
    for (int at = 0; at < 8; at++) pthread_create(&thread[at], NULL, busy, NULL);
    for (int round = 0; round < 50; round++) {
        EXPECT(f->Finalize(NULL), OK);
        EXPECT(f->Initialize(NULL), OK);
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            EXPECT(f->GetSlotList(1, NULL, &(ulong){ 0 }), NOT_INITIALIZED);
            EXPECT(f->Initialize(NULL), OK);
            EXPECT(login(open_session(1, RW), "1234"), OK);
            _exit(0);
        }
        int status;
        HOLDS(waitpid(child, &status, 0) == child && status == 0);
    }
    ends = 1;
    for (int at = 0; at < 8; at++) pthread_join(thread[at], NULL);
    EXPECT(f->Finalize(NULL), OK);
}

/* Unloaded without C_Finalize, the module stays as it was; so it is found when it is loaded again. */
static void unloaded(void) {
    void *module = load();
    EXPECT(f->Initialize(NULL), OK);
    ulong session = open_session(1, RW);
    EXPECT(login(session, "1234"), OK);
    HOLDS(dlclose(module) == 0);
    module = load();
    EXPECT(f->Initialize(NULL), ALREADY_INITIALIZED);
    EXPECT(login(session, "1234"), USER_ALREADY_LOGGED_IN);
    EXPECT(f->Finalize(NULL), OK);
    HOLDS(dlclose(module) == 0);
    load();
    EXPECT(f->Initialize(NULL), OK);
}

static void late(void) {
    EXPECT(f->Finalize(NULL), OK);
}

/* C_Finalize as late as OpenSSL's providers call it. */
static void at_exit(void) {
    load();
    atexit(late);
    EXPECT(f->Initialize(NULL), OK);
    open_session(1, RW);
}

static void at_destruction(void) __attribute__((destructor));
static int destruct;
static void at_destruction(void) {
    if (destruct) EXPECT(f->Finalize(NULL), OK);
}

static void in_destructor(void) {
    load();
    destruct = 1;
    EXPECT(f->Initialize(NULL), OK);
    open_session(1, RW);
}

static const byte p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };

static void generate(ulong session, ulong *public, ulong *private) {
    struct mechanism mechanism = { 0x1040, NULL, 0 };
    byte yes = 1, no = 0;
    struct attribute publics[] = { { 0x1, &no, 1 }, { 0x180, (void *)p256, sizeof p256 }, { 0x10a, &yes, 1 } };
    struct attribute privates[] = { { 0x1, &no, 1 }, { 0x108, &yes, 1 }, { 0x2, &yes, 1 } };
    EXPECT(f->GenerateKeyPair(session, &mechanism, publics, 3, privates, 3, public, private), OK);
}

/* A signature by the service, which the module itself verifies. */
static void sign(ulong session, ulong public, ulong private) {
    struct mechanism ecdsa = { 0x1041, NULL, 0 };
    byte digest[32], signature[64];
    ulong length = 0;
    EXPECT(f->GenerateRandom(session, digest, 32), OK);
    EXPECT(f->SignInit(session, &ecdsa, private), OK);
    EXPECT(f->Sign(session, digest, 32, NULL, &length), OK);
    HOLDS(length == 64);
    EXPECT(f->Sign(session, digest, 32, signature, &length), OK);
    HOLDS(length == 64);
    EXPECT(f->VerifyInit(session, &ecdsa, public), OK);
    EXPECT(f->Verify(session, digest, 32, signature, 64), OK);
    digest[0] ^= 1;
    EXPECT(f->VerifyInit(session, &ecdsa, public), OK);
    EXPECT(f->Verify(session, digest, 32, signature, 64), SIGNATURE_INVALID);
}

static void *sign_on(void *unused) {
    (void)unused;
    ulong session = open_session(1, RW), public, private;
    generate(session, &public, &private);
    while (!ends) sign(session, public, private);
    return NULL;
}

/* Children are forked while threads of their parent sign; each of them signs over a connection of its own. */
static void forked_connected(void) {
    pthread_t thread[4];
    load();
    EXPECT(f->Initialize(NULL), OK);
    ulong session = open_session(1, RW), public, private;
    EXPECT(login(session, "1234"), OK);
    generate(session, &public, &private);
    for (int at = 0; at < 4; at++) pthread_create(&thread[at], NULL, sign_on, NULL);
    for (int round = 0; round < 5; round++) {
        sign(session, public, private);
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            struct mechanism ecdsa = { 0x1041, NULL, 0 };
            EXPECT(f->SignInit(session, &ecdsa, private), NOT_INITIALIZED);
            EXPECT(f->Initialize(NULL), OK);
            EXPECT(f->SignInit(session, &ecdsa, private), SESSION_HANDLE_INVALID);
            session = open_session(1, RW);
            EXPECT(login(session, "1234"), OK);
            generate(session, &public, &private);
            sign(session, public, private);
            if (round % 2) EXPECT(f->Finalize(NULL), OK);
            exit(0);
        }
        int status;
        HOLDS(waitpid(child, &status, 0) == child && status == 0);
        sign(session, public, private);
    }
    ends = 1;
    for (int at = 0; at < 4; at++) pthread_join(thread[at], NULL);
    EXPECT(f->Finalize(NULL), OK);
    EXPECT(f->Initialize(NULL), OK);
    session = open_session(1, RW);
    EXPECT(login(session, "1234"), OK);
    generate(session, &public, &private);
    sign(session, public, private);
}

/* A read-only session makes and changes nothing that stays; nothing private is made without a login. */
static void read_only(void) {
    struct mechanism mechanism = { 0x1040, NULL, 0 };
    byte yes = 1;
    struct attribute token[] = { { 0x1, &yes, 1 }, { 0x180, (void *)p256, sizeof p256 }, { 0x108, &yes, 1 } };
    struct attribute twice[] = { { 0x1, &yes, 1 }, { 0x1, &yes, 1 } };
    struct attribute nested[] = { { 0x40000211, twice, sizeof twice } };
    ulong public, private;
    load();
    EXPECT(f->Initialize(NULL), OK);
    ulong session = open_session(1, 0), writes = open_session(1, RW);
    EXPECT(f->GenerateKeyPair(session, &mechanism, token, 2, token, 1, &public, &private), SESSION_READ_ONLY);
    EXPECT(f->GenerateKeyPair(writes, &mechanism, token, 2, token, 1, &public, &private), USER_NOT_LOGGED_IN);
    EXPECT(login(session, "1234"), OK);
    EXPECT(f->CreateObject(session, twice, 1, &public), SESSION_READ_ONLY);
    EXPECT(f->GenerateKeyPair(writes, &mechanism, twice, 2, token, 1, &public, &private), TEMPLATE_INCONSISTENT);
    EXPECT(f->GenerateKeyPair(writes, &mechanism, nested, 1, token, 1, &public, &private), ATTRIBUTE_TYPE_INVALID);
    EXPECT(f->GenerateKeyPair(writes, &mechanism, token, 2, token, 1, NULL, &private), ARGUMENTS_BAD);
    EXPECT(f->GenerateKeyPair(writes, NULL, token, 2, token, 1, &public, &private), ARGUMENTS_BAD);

    struct attribute privates[] = { token[0], token[2] };
    EXPECT(f->GenerateKeyPair(writes, &mechanism, token, 2, privates, 2, &public, &private), OK);
    struct attribute id = { 0x102, "id", 2 };
    EXPECT(f->SetAttributeValue(session, public, &id, 1), SESSION_READ_ONLY);
    EXPECT(f->DestroyObject(session, public), SESSION_READ_ONLY);
    EXPECT(f->CopyObject(session, public, &id, 1, &public), SESSION_READ_ONLY);
    /* It may use what it finds. */
    sign(session, public, private);
    generate(session, &public, &private);
    sign(session, public, private);
}

/* What C_GetAttributeValue answers where some of it can't be given. */
static void attributes(void) {
    byte point[67], small[8], label[64];
    ulong public, private, class;
    load();
    EXPECT(f->Initialize(NULL), OK);
    ulong session = open_session(1, RW);
    EXPECT(login(session, "1234"), OK);
    generate(session, &public, &private);
    enum { CLASS = 0x0, LABEL = 0x3, VALUE = 0x11, EC_POINT = 0x181, MODULUS = 0x120 };

    struct attribute lengths[] = { { EC_POINT, NULL, 0 }, { CLASS, NULL, 99 } };
    EXPECT(f->GetAttributeValue(session, public, lengths, 2), OK);
    HOLDS(lengths[0].length == 67 && lengths[1].length == sizeof class);

    struct attribute some[] = {
        { EC_POINT, small, sizeof small }, { MODULUS, small, sizeof small }, { CLASS, &class, sizeof class },
        { EC_POINT, point, sizeof point }, { LABEL, label, sizeof label },
    };
    EXPECT(f->GetAttributeValue(session, public, some, 5), ATTRIBUTE_TYPE_INVALID);
    HOLDS(some[0].length == -1UL && some[1].length == -1UL);
    HOLDS(class == 2 && some[3].length == 67 && point[0] == 4 && point[1] == 65 && point[2] == 4);
    EXPECT(f->GetAttributeValue(session, public, some, 1), BUFFER_TOO_SMALL);

    struct attribute secret[] = { { EC_POINT, small, sizeof small }, { VALUE, small, sizeof small }, { CLASS, &class, sizeof class } };
    EXPECT(f->GetAttributeValue(session, private, secret, 3), ATTRIBUTE_SENSITIVE);
    HOLDS(secret[1].length == -1UL && class == 3);
    EXPECT(f->GetAttributeValue(session, private, NULL, 0), OK);
    EXPECT(f->GetAttributeValue(session, private, NULL, 1), ARGUMENTS_BAD);
    EXPECT(f->GetAttributeValue(session, private, secret, -1UL), ARGUMENTS_BAD);
    EXPECT(f->GetAttributeValue(session, private + 1000, secret, 1), OBJECT_HANDLE_INVALID);
    EXPECT(f->GetObjectSize(session, private, &class), OK);
    HOLDS(class == -1UL);
}

static void *wait_for_it(void *unused) {
    (void)unused;
    ulong session = open_session(1, 0);
    ulong rv = f->FindObjectsInit(session, NULL, 0);
    HOLDS(rv == SESSION_HANDLE_INVALID || rv == NOT_INITIALIZED);
    return NULL;
}

/* C_Finalize while other threads wait for a service that is not there: they are answered, long before their deadline. */
static void waiting(void) {
    pthread_t thread[4];
    load();
    alarm(60);
    EXPECT(f->Initialize(NULL), OK);
    for (int at = 0; at < 4; at++) pthread_create(&thread[at], NULL, wait_for_it, NULL);
    usleep(300000);
    EXPECT(f->Finalize(NULL), OK);
    for (int at = 0; at < 4; at++) pthread_join(thread[at], NULL);
}

/* A configuration that can't be used. */
static void broken(void) {
    load();
    EXPECT(f->Initialize(NULL), GENERAL_ERROR);
    EXPECT(f->GetSlotList(1, NULL, &(ulong){ 0 }), NOT_INITIALIZED);
    EXPECT(f->Initialize(NULL), GENERAL_ERROR);
}

int main(int count, char **arguments) {
    static const struct { const char *name; void (*run)(void); } probes[] = {
        { "lists", lists }, { "lifecycle", lifecycle }, { "lenient", lenient }, { "slots", slots }, { "logins", logins },
        { "sessions", sessions }, { "forked", forked }, { "threads", threads }, { "unloaded", unloaded },
        { "at_exit", at_exit }, { "in_destructor", in_destructor }, { "broken", broken },
        { "forked_connected", forked_connected }, { "read_only", read_only }, { "attributes", attributes },
        { "waiting", waiting },
    };
    if (count != 3) return 2;
    path = arguments[1];
    for (size_t at = 0; at < sizeof probes / sizeof *probes; at++) {
        if (!strcmp(arguments[2], probes[at].name)) {
            probes[at].run();
            return 0;
        }
    }
    fprintf(stderr, "no such probe: %s\n", arguments[2]);
    return 2;
}
