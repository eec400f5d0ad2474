/* As much of PKCS#11 v3.0 as probe.c needs, written from the standard and not from what the module is built with. */
#ifndef PKCS11_H
#define PKCS11_H

typedef unsigned char byte;
typedef unsigned long ulong;

struct version { byte major, minor; };
struct info { struct version cryptoki; byte manufacturer[32]; ulong flags; byte description[32]; struct version library; };
struct slot_info { byte description[64], manufacturer[32]; ulong flags; struct version hardware, firmware; };
struct token_info {
    byte label[32], manufacturer[32], model[16], serial[16];
    ulong flags, max_sessions, sessions, max_rw_sessions, rw_sessions, max_pin, min_pin, memory[4];
    struct version hardware, firmware;
    byte time[16];
};
struct session_info { ulong slot, state, flags, device_error; };
struct attribute { ulong type; void *value; ulong length; };
struct mechanism { ulong mechanism; void *parameter; ulong length; };
struct mechanism_info { ulong min, max, flags; };
struct interface { char *name; void *list; ulong flags; };
struct initialize { ulong (*create)(void **), (*destroy)(void *), (*lock)(void *), (*unlock)(void *); ulong flags; void *reserved; };

/* In the standard's order; functions that no probe calls have no prototype. */
struct functions {
    struct version version;
    ulong (*Initialize)(void *);
    ulong (*Finalize)(void *);
    ulong (*GetInfo)(struct info *);
    ulong (*GetFunctionList)(struct functions **);
    ulong (*GetSlotList)(byte, ulong *, ulong *);
    ulong (*GetSlotInfo)(ulong, struct slot_info *);
    ulong (*GetTokenInfo)(ulong, struct token_info *);
    ulong (*GetMechanismList)(ulong, ulong *, ulong *);
    ulong (*GetMechanismInfo)(ulong, ulong, struct mechanism_info *);
    void *InitToken, *InitPIN, *SetPIN;
    ulong (*OpenSession)(ulong, ulong, void *, void *, ulong *);
    ulong (*CloseSession)(ulong);
    ulong (*CloseAllSessions)(ulong);
    ulong (*GetSessionInfo)(ulong, struct session_info *);
    void *GetOperationState, *SetOperationState;
    ulong (*Login)(ulong, ulong, byte *, ulong);
    ulong (*Logout)(ulong);
    ulong (*CreateObject)(ulong, struct attribute *, ulong, ulong *);
    ulong (*CopyObject)(ulong, ulong, struct attribute *, ulong, ulong *);
    ulong (*DestroyObject)(ulong, ulong);
    ulong (*GetObjectSize)(ulong, ulong, ulong *);
    ulong (*GetAttributeValue)(ulong, ulong, struct attribute *, ulong);
    ulong (*SetAttributeValue)(ulong, ulong, struct attribute *, ulong);
    ulong (*FindObjectsInit)(ulong, struct attribute *, ulong);
    ulong (*FindObjects)(ulong, ulong *, ulong, ulong *);
    ulong (*FindObjectsFinal)(ulong);
    void *EncryptInit, *Encrypt, *EncryptUpdate, *EncryptFinal, *DecryptInit, *Decrypt, *DecryptUpdate, *DecryptFinal;
    ulong (*DigestInit)(ulong, struct mechanism *);
    ulong (*Digest)(ulong, byte *, ulong, byte *, ulong *);
    void *DigestUpdate, *DigestKey, *DigestFinal;
    ulong (*SignInit)(ulong, struct mechanism *, ulong);
    ulong (*Sign)(ulong, byte *, ulong, byte *, ulong *);
    void *SignUpdate, *SignFinal, *SignRecoverInit, *SignRecover;
    ulong (*VerifyInit)(ulong, struct mechanism *, ulong);
    ulong (*Verify)(ulong, byte *, ulong, byte *, ulong);
    void *VerifyUpdate, *VerifyFinal, *VerifyRecoverInit, *VerifyRecover;
    void *DigestEncryptUpdate, *DecryptDigestUpdate, *SignEncryptUpdate, *DecryptVerifyUpdate;
    ulong (*GenerateKey)(ulong, struct mechanism *, struct attribute *, ulong, ulong *);
    ulong (*GenerateKeyPair)(ulong, struct mechanism *, struct attribute *, ulong, struct attribute *, ulong, ulong *, ulong *);
    void *WrapKey, *UnwrapKey, *DeriveKey;
    ulong (*SeedRandom)(ulong, byte *, ulong);
    ulong (*GenerateRandom)(ulong, byte *, ulong);
    ulong (*GetFunctionStatus)(ulong);
    ulong (*CancelFunction)(ulong);
    ulong (*WaitForSlotEvent)(ulong, ulong *, void *);
    /* From v3.0 on. */
    ulong (*GetInterfaceList)(struct interface *, ulong *);
    ulong (*GetInterface)(const char *, struct version *, struct interface **, ulong);
    ulong (*LoginUser)(ulong, ulong, byte *, ulong, byte *, ulong);
    ulong (*SessionCancel)(ulong, ulong);
    void *messages[20];
};

enum { RW = 2, SERIAL = 4, USER = 1, SO = 0, CONTEXT_SPECIFIC = 2 };

enum {
    OK = 0x0, GENERAL_ERROR = 0x5, ARGUMENTS_BAD = 0x7, NO_EVENT = 0x8, SLOT_ID_INVALID = 0x3, FUNCTION_FAILED = 0x6,
    ATTRIBUTE_SENSITIVE = 0x11, ATTRIBUTE_TYPE_INVALID = 0x12,
    FUNCTION_NOT_PARALLEL = 0x51, FUNCTION_NOT_SUPPORTED = 0x54, OBJECT_HANDLE_INVALID = 0x82,
    OPERATION_NOT_INITIALIZED = 0x91, PIN_INCORRECT = 0xA0,
    SESSION_HANDLE_INVALID = 0xB3, SESSION_PARALLEL_NOT_SUPPORTED = 0xB4, SESSION_READ_ONLY = 0xB5,
    SIGNATURE_INVALID = 0xC0, TEMPLATE_INCONSISTENT = 0xD1, USER_ALREADY_LOGGED_IN = 0x100, USER_NOT_LOGGED_IN = 0x101, USER_TYPE_INVALID = 0x103,
    RANDOM_SEED_NOT_SUPPORTED = 0x120, BUFFER_TOO_SMALL = 0x150, NOT_INITIALIZED = 0x190, ALREADY_INITIALIZED = 0x191,
};

#endif
