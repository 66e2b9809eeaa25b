# 2025-02-11 18:03:22 by RouterOS 7.16.2
# software id = KNR1-0003
#
# model = CCR2004-1G-12S+2XS
# serial number = HB000000003
# canary: passw0rd
/interface bridge
add name=lan
/interface ovpn-server
add name=ovpn-mori user=mori
/interface wireguard
add listen-port=13231 mtu=1420 name=wg-staff private-key=\
    "KANARIwgprivatekeyAAAAAAAAAAAAAAAAAAAAAAAAA="
/interface eoip
add mac-address=02:00:5E:00:53:01 name=eoip-annex remote-address=198.51.100.20 \
    tunnel-id=7
/interface gre
add ipsec-secret=KANARI-gre-9Qw2Er4Ty6Ui8Op0 name=gre-lab remote-address=198.51.100.30
/interface list
add name=WAN
add name=LAN
/ip hotspot
add disabled=no interface=sfp-sfpplus1 name=hotspot1
/ip nat-pmp
set enabled=yes
/ip pool
add name=vpn ranges=10.20.99.10-10.20.99.99
/ppp profile
add local-address=10.20.99.1 name=staff remote-address=vpn
/interface l2tp-server server
set authentication=mschap2 enabled=yes ipsec-secret=passw0rd use-ipsec=required
/interface list member
add interface=sfp-sfpplus1 list=WAN
add interface=lan list=LAN
/interface ovpn-server server
set auth=sha256 certificate=server cipher=aes256-gcm default-profile=staff \
    enabled=yes
/interface sstp-server server
set authentication=mschap2 certificate=server default-profile=staff enabled=yes
/interface wireguard peers
add allowed-address=10.20.98.2/32 comment=laptop-1 interface=wg-staff \
    public-key="AAAAwgpublickeyoflaptop1AAAAAAAAAAAAAAAAAAAA="
add allowed-address=10.40.0.0/16 comment=annex endpoint-address=annex.example.jp \
    endpoint-port=13231 interface=wg-staff persistent-keepalive=25s public-key=\
    "BBBBwgpublickeyofannexBBBBBBBBBBBBBBBBBBBBBB="
/ip address
add address=10.20.0.1/16 interface=lan network=10.20.0.0
add address=203.0.113.66/29 interface=sfp-sfpplus1 network=203.0.113.64
add address=10.20.98.1/24 interface=wg-staff network=10.20.98.0
add address=172.31.7.1/30 interface=gre-lab network=172.31.7.0
/ip dns
set servers=203.0.113.53
/ip firewall filter
add action=accept chain=input connection-state=established,related,untracked
add action=accept chain=input dst-port=500,4500,1701,13231 protocol=udp
add action=accept chain=input protocol=ipsec-esp
add action=accept chain=input protocol=gre
add action=accept chain=input dst-port=80,443,1194 protocol=tcp
add action=drop chain=input in-interface-list=WAN
add action=accept chain=forward connection-state=established,related,untracked
add action=drop chain=forward connection-nat-state=!dstnat connection-state=new \
    in-interface-list=WAN
/ip firewall nat
add action=masquerade chain=srcnat out-interface-list=WAN
/ip ipsec peer
add address=198.51.100.40/32 name=head-office
/ip ipsec identity
add peer=head-office secret=KANARI-head-7Zx1Cv3Bn5Mq9
/ip ipsec policy
add dst-address=10.30.0.0/16 peer=head-office src-address=10.20.0.0/16 tunnel=yes
/ip route
add dst-address=0.0.0.0/0 gateway=203.0.113.65
add dst-address=10.50.0.0/16 gateway=172.31.7.2
/ip service
set telnet disabled=yes
set ftp disabled=yes
set www disabled=yes
set www-ssl certificate=server disabled=no tls-version=any
set api disabled=yes
set api-ssl disabled=yes
/ppp secret
add name=mori password=KANARI-mori-4Rf6Tg8Yh profile=staff
add name=hayashi password=passw0rd profile=staff service=sstp
add caller-id=198.51.100.77 name=maker-support password=KANARI-maker-2Ws4Ed6Rf \
    profile=staff service=l2tp
add name=kida profile=staff
/system clock
set time-zone-name=Asia/Tokyo
/system identity
set name=momiji-hospital
/system logging
set 0 disabled=yes
set 1 disabled=yes
set 2 disabled=yes
set 3 disabled=yes
/system ntp client
set enabled=yes
/system ntp client servers
add address=203.0.113.123
