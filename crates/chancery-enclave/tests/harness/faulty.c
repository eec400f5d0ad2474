/* SoftHSM with faults on demand: the file named by FAULTY holds lines "FUNCTION ARGUMENT".
 *
 *   sign CKR            C_Sign returns this value (hexadecimal)
 *   sign-init CKR       C_SignInit returns it
 *   refuse ATTRIBUTE    C_GenerateKeyPair refuses templates with this attribute (hexadecimal)
 *   lie ATTRIBUTE       C_GetAttributeValue shows this boolean attribute inverted
 *   decrypt CKR         C_Decrypt returns it, whatever it did
 *   random CKR          C_GenerateRandom returns it
 *   sleep MILLISECONDS  C_Sign takes this long (decimal)
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong;
typedef struct { ulong type; void *value; ulong length; } attribute;
/* The function list of PKCS#11 v2.40: a version, then pointers in the order of the standard. */
typedef struct { unsigned char major, minor; void *f[68]; } functions;
enum { GENERATE_KEY_PAIR = 59, GET_ATTRIBUTE_VALUE = 24, DECRYPT = 34, SIGN_INIT = 42, SIGN = 43, GENERATE_RANDOM = 64 };

static functions *real, ours;

static int fault(const char *function, ulong *argument, ulong wanted) {
    char name[32], value[32];
    int found = 0;
    FILE *file = fopen(getenv("FAULTY"), "r");
    if (!file) return 0;
    while (!found && fscanf(file, "%31s %31s", name, value) == 2) {
        ulong number = strtoul(value, NULL, strcmp(function, "sleep") ? 16 : 10);
        if (!strcmp(name, function) && (wanted == 0 || wanted == number)) { *argument = number; found = 1; }
    }
    fclose(file);
    return found;
}

static ulong sign(ulong session, void *data, ulong length, void *signature, ulong *signature_length) {
    ulong argument;
    if (signature && fault("sleep", &argument, 0)) usleep(argument * 1000);
    if (signature && fault("sign", &argument, 0)) return argument;
    return ((ulong (*)(ulong, void *, ulong, void *, ulong *))real->f[SIGN])(session, data, length, signature, signature_length);
}

static ulong sign_init(ulong session, void *mechanism, ulong key) {
    ulong argument;
    if (fault("sign-init", &argument, 0)) return argument;
    return ((ulong (*)(ulong, void *, ulong))real->f[SIGN_INIT])(session, mechanism, key);
}

static ulong decrypt(ulong session, void *data, ulong length, void *plain, ulong *plain_length) {
    ulong argument;
    ulong result = ((ulong (*)(ulong, void *, ulong, void *, ulong *))real->f[DECRYPT])(session, data, length, plain, plain_length);
    return plain && fault("decrypt", &argument, 0) ? argument : result;
}

static ulong generate_random(ulong session, void *data, ulong length) {
    ulong argument;
    if (fault("random", &argument, 0)) return argument;
    return ((ulong (*)(ulong, void *, ulong))real->f[GENERATE_RANDOM])(session, data, length);
}

static ulong get_attribute_value(ulong session, ulong object, attribute *template, ulong count) {
    ulong result = ((ulong (*)(ulong, ulong, attribute *, ulong))real->f[GET_ATTRIBUTE_VALUE])(session, object, template, count);
    for (ulong i = 0; i < count; i++) {
        ulong argument;
        if (template[i].value && template[i].length == 1 && fault("lie", &argument, template[i].type))
            *(unsigned char *)template[i].value ^= 1;
    }
    return result;
}

static ulong generate_key_pair(ulong session, void *mechanism, attribute *public, ulong public_count, attribute *private,
                               ulong private_count, ulong *public_key, ulong *private_key) {
    ulong argument;
    for (ulong i = 0; i < private_count; i++)
        if (fault("refuse", &argument, private[i].type)) return 0x12; /* CKR_ATTRIBUTE_TYPE_INVALID */
    return ((ulong (*)(ulong, void *, attribute *, ulong, attribute *, ulong, ulong *, ulong *))real->f[GENERATE_KEY_PAIR])(
        session, mechanism, public, public_count, private, private_count, public_key, private_key);
}

ulong C_GetFunctionList(functions **list) {
    void *library = dlopen(getenv("FAULTY_OVER"), RTLD_NOW);
    ulong (*get)(functions **) = library ? (ulong (*)(functions **))dlsym(library, "C_GetFunctionList") : NULL;
    if (!get || get(&real)) return 5; /* CKR_GENERAL_ERROR */
    ours = *real;
    ours.f[SIGN] = sign;
    ours.f[SIGN_INIT] = sign_init;
    ours.f[DECRYPT] = decrypt;
    ours.f[GENERATE_RANDOM] = generate_random;
    ours.f[GET_ATTRIBUTE_VALUE] = get_attribute_value;
    ours.f[GENERATE_KEY_PAIR] = generate_key_pair;
    *list = &ours;
    return 0;
}
