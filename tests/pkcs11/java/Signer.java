import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Provider;
import java.security.SecureRandom;
import java.security.Security;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import javax.security.auth.callback.PasswordCallback;

/**
 * A client in Java for services that are killed (tests/pkcs11_crash/client.rs says what it reads and prints): SunPKCS11
 * with a key of its session, as keytool makes one. SunEC verifies each signature.
 */
final class Signer {
    private static final AtomicLong SLOWEST = new AtomicLong();
    private static final AtomicBoolean FAILED = new AtomicBoolean();

    public static void main(String[] arguments) throws Exception {
        String library = System.getenv("PKCS11_LIB");
        Provider provider =
            Security.getProvider("SunPKCS11").configure("--name = Chancery\nlibrary = " + library + "\nslot = 1\n");
        ((java.security.AuthProvider) provider).login(null, callbacks -> {
            for (var callback : callbacks) {
                ((PasswordCallback) callback).setPassword(System.getenv("PKCS11_PIN").toCharArray());
            }
        });
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", provider);
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = generator.generateKeyPair();

        long end = System.nanoTime() + Long.parseLong(System.getenv("PKCS11_SECONDS")) * 1_000_000_000L;
        int count = Integer.parseInt(System.getenv("PKCS11_THREADS"));
        var threads = Executors.newFixedThreadPool(count);
        List<Future<?>> work = new ArrayList<>();
        for (int thread = 0; thread < count; thread++) {
            work.add(threads.submit(() -> {
                while (System.nanoTime() < end && !FAILED.get()) {
                    sign(provider, pair);
                }
                return null;
            }));
        }
        threads.shutdown();
        for (Future<?> done : work) {
            done.get();
        }
        System.out.println("slowest " + SLOWEST.get() / 1_000_000);
    }

    private static void sign(Provider provider, KeyPair pair) throws Exception {
        byte[] digest = new byte[32];
        new SecureRandom().nextBytes(digest);
        try {
            long start = System.nanoTime();
            Signature signature = Signature.getInstance("NONEwithECDSA", provider);
            signature.initSign(pair.getPrivate());
            signature.update(digest);
            byte[] signed = signature.sign();
            SLOWEST.accumulateAndGet(System.nanoTime() - start, Math::max);

            Signature judge = Signature.getInstance("NONEwithECDSA", "SunEC");
            judge.initVerify(pair.getPublic());
            judge.update(digest);
            if (!judge.verify(signed)) {
                throw new IllegalStateException("SunEC refuses a signature");
            }
            HexFormat hex = HexFormat.of();
            System.out.println("signature " + hex.formatHex(digest) + " " + hex.formatHex(signed));
        } catch (Exception error) {
            FAILED.set(true);
            throw error;
        }
    }
}
